"""Text for people: a count with its noun, and how many columns of a terminal a text takes."""

from __future__ import annotations

import unicodedata


def counted(count: int, noun: str, plural: str | None = None) -> str:
    """A number with its noun in the right form: "1 file", "1,295 files", "2 classes".

    Args:
        count: how many.
        noun: in the singular.
        plural: where it isn't the singular with an s.
    """
    return f"{count:,} {noun if count == 1 else plural or noun + 's'}"


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
