"""Shared by all plots: class names that can be drawn and that fit, and the PNG file."""

from __future__ import annotations

import io
import unicodedata
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cache

import matplotlib
from matplotlib import font_manager
from matplotlib.figure import Figure

from tkit import console
from tkit_edge.text import columns

DPI = 150
MISSING = "\N{WHITE SQUARE}"
_ELLIPSIS = "\N{HORIZONTAL ELLIPSIS}"
_BREAKS = " _-./"
_VARIANTS = {chr(code) for code in (*range(0xFE00, 0xFE10), *range(0xE0100, 0xE01F0))}  # selectors
_NO_TYPEFACES = ("Last Resort", "cmr", "cmsy", "cmex", "cmmi", "cmtt", "cmss", "cmb")  # boxes, and TeX's encodings
_said: set[str] = set()


@contextmanager
def lettering(names: Sequence[str], files: Sequence[str] = ()) -> Iterator[tuple[list[str], list[str]]]:
    """Inside the context, class names and file names can be drawn with installed fonts that have their characters.

    A square replaces a character that no installed font has, and such a class's name is preceded by its index; missing
    characters are reported once.
    """
    plain = [_visible(name) for name in (*names, *files)]
    families, missing = _fonts("".join(sorted(set("".join(plain)))))
    squares = {ord(character): MISSING for character in missing}
    drawn = [name.translate(squares) for name in plain]
    numbered = [
        name if name == whole and name else f"{index}: {name}"
        for index, (name, whole) in enumerate(zip(drawn, plain[: len(names)], strict=False))
    ]
    if new := [character for character in missing if character not in _said]:
        _said.update(new)
        console.say(
            f"plots: no installed font has {' '.join(new)}: the class's index is put before its name. "
            "Install one that has, such as fonts-noto-cjk (Chinese, Japanese, Korean) or fonts-symbola (emoji)."
        )
    with matplotlib.rc_context({"font.family": families, "text.parse_math": False}):
        yield numbered, drawn[len(names) :]


def wrapped(text: str, width: int, lines: int) -> str:
    """`text` in at most `lines` lines of `width` columns, broken after separators; the rest is left out."""
    made: list[str] = []
    while columns(text) > width and len(made) < lines - 1:
        line = _head(text, width)
        cut = max(line.rfind(separator) for separator in _BREAKS) + 1
        line = line[:cut] if cut > len(line) // 2 else line
        made.append(line.strip())
        text = text[len(line) :]
    return "\n".join([*made, shortened(text.strip(), width)])


def shortened(text: str, width: int) -> str:
    """`text` in at most `width` columns, with an ellipsis instead of its middle."""
    if columns(text) <= width:
        return text
    head = _head(text, width // 2)
    tail = _head(text[::-1], width - 1 - columns(head))[::-1]
    return head + _ELLIPSIS + tail


def all_shortened(names: Sequence[str], width: int) -> list[str]:
    """Each name in about `width` columns; where two would look alike, each is preceded by its index."""
    short = [shortened(name, width) for name in names]
    counts = Counter(short)
    return [name if counts[name] == 1 else f"{index}: {name}" for index, name in enumerate(short)]


def ending(text: str, width: int) -> str:
    """The end of `text` in at most `width` columns, for paths."""
    return text if columns(text) <= width else _ELLIPSIS + _head(text[::-1], width - 1)[::-1]


def png(figure: Figure, dpi: int = DPI) -> bytes:
    """The figure with everything drawn in it, including beyond its edges, as a PNG file."""
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=dpi, bbox_inches="tight", pad_inches=0.15)
    return buffer.getvalue()


def _head(text: str, width: int) -> str:
    for end in range(len(text), -1, -1):
        if columns(text[:end]) <= width:
            return text[:end]
    return ""


def _visible(name: str) -> str:
    """Without control characters, joiners and variation selectors, which fonts draw as boxes."""
    text = "".join(" " if character.isspace() else character for character in unicodedata.normalize("NFC", name))
    hidden = {item for item in text if unicodedata.category(item) in ("Cc", "Cf", "Cs")} | _VARIANTS
    return "".join(character for character in text if character not in hidden)


@cache
def _fonts(characters: str) -> tuple[list[str], frozenset[str]]:
    """Families that together have the characters, the default first, and the characters that none has."""
    families = list(matplotlib.rcParams["font.family"])
    missing = set(characters) - _characters(font_manager.findfont(font_manager.FontProperties(family=families)))
    fonts = sorted(font_manager.fontManager.ttflist, key=lambda font: (font.style == "normal", font.weight == 400))
    installed = {font.name: font.fname for font in fonts} if missing else {}
    found = {name: _characters(path) for name, path in installed.items() if not name.startswith(_NO_TYPEFACES)}
    while missing and found:
        best = max(found, key=lambda name: (len(missing & found[name]), "Sans" in name, name))
        if not missing & found[best]:
            break
        families.append(best)
        missing -= found.pop(best)
    return families, frozenset(missing)


def _characters(path: str) -> set[str]:
    """The characters that a font can draw; none if it holds only bitmaps, like coloured emoji fonts."""
    try:
        font = font_manager.get_font(path)
        font.set_size(10, DPI)
    except (OSError, RuntimeError):
        return set()
    return set(map(chr, font.get_charmap()))
