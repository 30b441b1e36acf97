"""Text for people: a count with its noun, and lines that fit a terminal."""

from __future__ import annotations

import os
import re
import unicodedata
from typing import TextIO

_DEFAULT_WIDTH = 80
_HANGING = "    "


def figure(value: float) -> str:
    """A number for people: four digits, large ones whole."""
    return f"{value:,.0f}" if 10_000 <= abs(value) < 1e15 else f"{value:.4g}"


def counted(count: int, noun: str, plural: str | None = None) -> str:
    """A number with its noun in the right form: "1 file", "1,295 files", "2 classes".

    Args:
        count: how many.
        noun: in the singular.
        plural: where it isn't the singular with an s.
    """
    return f"{count:,} {noun if count == 1 else plural or noun + 's'}"


def shortened(text: str, limit: int) -> str:
    """A text in one line of at most `limit` characters, its end left out where it is longer."""
    line = " ".join(text[: 4 * limit].split())
    return line if len(line) <= limit else f"{line[: limit - 4]} ..."


def terminal_width(stream: TextIO) -> int | None:
    """Columns of the terminal that `stream` writes to, or $COLUMNS; None for a pipe or a file: all of it."""
    if not stream.isatty():
        return None
    try:
        return int(os.environ["COLUMNS"])
    except (KeyError, ValueError):
        pass
    try:
        return os.get_terminal_size(stream.fileno()).columns or _DEFAULT_WIDTH
    except OSError:
        return _DEFAULT_WIDTH


def fitted(text: str, width: int | None) -> str:
    """`text` with lines past `width` columns broken where two spaces are, else between words; never inside a word."""
    if width is None:
        return text
    return "\n".join(part for line in text.split("\n") for part in _broken(line, width))


def _broken(line: str, width: int) -> list[str]:
    if columns(line) <= width:
        return [line]
    indent = line[: len(line) - len(line.lstrip())]
    lines: list[str] = []
    current = ""
    gap = indent
    for index, group in enumerate(re.split(r"(  +)", line.strip())):
        if index % 2:
            gap = group
            continue
        whole = columns(indent + _HANGING + group) <= width
        for word in [group] if whole else re.split(" (?!%)", group):
            if current and columns(current + gap + word) > width:
                lines.append(current)
                current, gap = indent + _HANGING, ""
            current += gap + word
            gap = " "
    return [*lines, current]


def columns(text: str) -> int:
    """The terminal columns that `text` takes: 2 for a Chinese character or an emoji, 0 for a combining mark."""
    return len(text) if text.isascii() else sum(map(_columns, text))


def padded(text: str, width: int, right: bool = False) -> str:
    """`text` with spaces up to `width` columns, before it where it stands to the `right`."""
    space = " " * (width - columns(text))
    return space + text if right else text + space


def _columns(character: str) -> int:
    if unicodedata.combining(character) or unicodedata.category(character) in ("Cf", "Cc", "Mn", "Me"):
        return 0
    return 2 if unicodedata.east_asian_width(character) in "WF" else 1
