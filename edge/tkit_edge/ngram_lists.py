"""The n-grams of a text's words and, within each word, of characters, in one order."""

from __future__ import annotations

import reprlib
from collections.abc import Iterator, Sequence

from tkit_edge.errors import InputError
from tkit_edge.fields import Fields

MAX_WORDS = 5
MAX_CHARACTERS = 10


def of_words(words: Sequence[str], lengths: tuple[int, int]) -> Iterator[str]:
    """Those of words, joined by spaces, the shortest first; `lengths` are the fewest and the most words."""
    for length in range(lengths[0], lengths[1] + 1):
        for gram in zip(*(words[start:] for start in range(length))):
            yield " ".join(gram)


def within(word: str, lengths: tuple[int, int]) -> list[str]:
    """Those of a word's characters, "<" before it and ">" behind, the shortest first."""
    marked = f"<{word}>"
    return [
        marked[start : start + length]
        for length in range(lengths[0], lengths[1] + 1)
        for start in range(len(marked) - length + 1)
    ]


def lengths_of(fields: Fields, key: str, most: int) -> tuple[int, int]:
    """The fewest and the most of a bundle's field.

    Raises:
        InputError: two other numbers, or none.
    """
    values = fields.get(key, list)
    if len(values) == 2 and all(type(value) is int for value in values) and 1 <= values[0] <= values[1] <= most:
        return values[0], values[1]
    where = f"{fields.file}: {fields.place}{key}"
    raise InputError(f"{where}: expected the fewest and the most, from 1 to {most}; received {reprlib.repr(values)}.")
