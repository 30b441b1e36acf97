r"""Text as every tokenizer reads it: one normalization, and the words of what is normalized.

Normalization, in this order; normalized text stays as it is when it is normalized again:

1. Lone surrogates become U+FFFD, control characters (NUL, tab, line end) and the zero-width space become spaces, the
   typographic apostrophe U+2019 becomes the plain one. Format characters (byte order mark, bidirectional marks, soft
   hyphen, joiners) and variation selectors are removed, except inside an emoji. This is first because what an
   invisible character held apart may compose.
2. Unicode NFKC.
3. Lower case if wanted, and NFKC again: some letters compose with a mark in lower case only.
4. Each run of white space becomes one space; none is left at the ends.

A word is one of these, each with the marks on it:

- a run of letters and digits, with single apostrophes between them (`rock'n'roll`);
- a letter of a script without spaces (Chinese, Japanese, Thai, Lao, Khmer, Burmese);
- an emoji with its modifiers and whatever is joined to it; a flag;
- any other character.

English contractions are divided as in the Penn Treebank, so that raw text has the words of data that was tokenized
before: `don't` and `do n't` are `do`, `n't`; `it's` and `it 's` are `it`, `'s`.

Python's `unicodedata` says what a character is: of characters that are newer than a device's Python, it knows nothing.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator

MAX_RUN = 1024
"""Characters: a longer run without white space is read as if a space followed every so many.

A text is normalized in parts no longer than this: NFKC takes a time quadratic in the length of a run of marks.
"""
_MAX_KNOWN = 1 << 16  # characters whose class is remembered

# Parts of regular expressions' character sets.
_FORMAT = (  # category Cf in Unicode 15.1, without the zero-width space
    "\u00ad\u0600-\u0605\u061c\u06dd\u070f\u0890\u0891\u08e2\u180e\u200c-\u200f\u202a-\u202e\u2060-\u2064\u2066-\u206f"
    "\ufeff\ufff9-\ufffb\U000110bd\U000110cd\U00013430-\U0001343f\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0001"
    "\U000e0020-\U000e007f"
)
_SELECTORS = "\ufe00-\ufe0f\U000e0100-\U000e01ef"
_JOINER = "\u200d"
_PICTOGRAPHS = (  # emoji and the symbols among them; NFKC changes none
    "\u00a9\u00ae\u2190-\u21ff\u2300-\u2328\u232b-\u23ff\u25a0-\u27bf\u2900-\u297f\u2b00-\u2bff\u3030\u303d"
    "\U0001f000-\U0001f0ff\U0001f170-\U0001f18f\U0001f191-\U0001f1ad\U0001f300-\U0001faff"
)
_EXTENDERS = "\ufe0e\ufe0f\U0001f3fb-\U0001f3ff\U000e0020-\U000e007f"  # text or emoji style, skin tone, a region's tag
_FLAG_LETTERS = "\U0001f1e6-\U0001f1ff"
_WITHOUT_SPACES = (
    "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u1950-\u19ff\u1a20-\u1aaf\ua9e0-\ua9ff\uaa60-\uaadf"  # South-East Asia
    "\u3005-\u3007\u3031-\u312f\u31a0-\u31bf\u31f0-\u31ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff"  # East Asia
    "\U00016fe0-\U00018dff\U0001aff0-\U0001b2ff\U00020000-\U0003ffff"
)

_REPLACED = re.compile(
    f"(?P<emoji>[{_PICTOGRAPHS}][{_EXTENDERS}]*(?:{_JOINER}[{_PICTOGRAPHS}][{_EXTENDERS}]*)*)"
    f"|(?P<surrogate>[\ud800-\udfff])|(?P<space>[\x00-\x1f\x7f-\x9f\u200b]+)|(?P<apostrophe>\u2019)"
    f"|(?P<unseen>[{_FORMAT}{_SELECTORS}]+)"
)
_REPLACEMENTS = {"surrogate": "\ufffd", "space": " ", "apostrophe": "'", "unseen": ""}
_ASCII_CONTROLS = {code: " " for code in (*range(32), 127)}
_BLOCK = re.compile(rf".{{1,{MAX_RUN}}}(?=\s|\Z)|\S{{1,{MAX_RUN}}}", re.DOTALL)

# In a string of classes, a letter for each character: w letter or digit, m mark, p pictograph, x extender, j joiner,
# f flag letter, o other; the apostrophe stands for itself.
_WORD = re.compile(r"'?w[wm]*(?:'w[wm]*)*|p[xm]*(?:jp[xm]*)*|ff|.m*")
_SETS = tuple(  # the first that has a character counts: skin tones are among the pictographs too
    (re.compile(f"[{characters}]"), letter)
    for characters, letter in ((_EXTENDERS, "x"), (_JOINER, "j"), (_PICTOGRAPHS, "p"), (_FLAG_LETTERS, "f"))
)
_ALONE = re.compile(f"[{_WITHOUT_SPACES}]")
_CONTRACTION = re.compile(r"(')??(|[^'].*?)(n't|'(?:s|re|ve|ll|d|m))?", re.IGNORECASE)


class _Classes(dict[int, str]):
    """The class of every code point, found when a text first has it."""

    def __missing__(self, code: int) -> str:
        found = _class(chr(code))
        if len(self) < _MAX_KNOWN:
            self[code] = found
        return found


_CLASSES = _Classes({ord("'"): "'"})


def normalized(text: str, lowercase: bool) -> str:
    """The text in the one form that this module describes."""
    if not text.isascii():
        text = unicodedata.normalize("NFKC", _REPLACED.sub(_replacement, text))
    elif not text.isprintable():
        text = text.translate(_ASCII_CONTROLS)
    if lowercase:
        text = unicodedata.normalize("NFKC", text.lower())
    return " ".join(text.split())


def normalized_blocks(text: str, lowercase: bool) -> Iterator[str]:
    """Parts of the normalized text, to be joined by spaces: each of at most `MAX_RUN` characters as read, none empty.

    Each is made when it is asked for, so that the first words of a long text cost what a short text costs.
    """
    for block in _BLOCK.finditer(text):
        found = normalized(block.group(), lowercase)
        if found:
            yield found


def words(text: str, lowercase: bool) -> Iterator[str]:
    """The words of the normalized text, found as they are asked for; none is empty or has a space."""
    for block in normalized_blocks(text, lowercase):
        for part in block.split(" "):
            if len(part) == 1 or (part.isascii() and part.isalnum()):
                yield part
            else:
                yield from _divided(part)


def _replacement(found: re.Match[str]) -> str:
    return found.group() if found.lastgroup == "emoji" else _REPLACEMENTS[found.lastgroup or ""]


def _divided(part: str) -> Iterator[str]:
    """The words of normalized text without spaces."""
    for found in _WORD.finditer(part.translate(_CLASSES)):
        word = part[found.start() : found.end()]
        if "'" in word and len(word) > 1:
            contraction = _CONTRACTION.fullmatch(word)
            assert contraction is not None  # it takes anything
            yield from filter(None, contraction.groups())
        else:
            yield word


def _class(character: str) -> str:
    for characters, letter in _SETS:
        if characters.match(character):
            return letter
    if unicodedata.category(character).startswith("M"):
        return "m"
    return "w" if character.isalnum() and not (character.isalpha() and _ALONE.match(character)) else "o"
