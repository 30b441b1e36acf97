"""Tokenizers, one file per kind: from a text to ids, by the one encoder that training and device share.

A kind is named after its file and holds one subclass of `Tokenizer`. NumPy and the standard library only.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from functools import cached_property
from typing import Any, ClassVar

from tkit_edge.fields import Fields
from tkit_edge.kinds import kind_of

PAD, UNKNOWN, START, MASK = range(4)
"""Ids of every tokenizer: of nothing (past a text's end), of what the vocabulary lacks, of every text's start, and of
what a model has to guess in pretraining."""
SPECIAL = ("[PAD]", "[UNKNOWN]", "[START]", "[MASK]")
"""What these are called, for people."""
FIRST = 4
"""The first id of a tokenizer's own."""
MAX_REMEMBERED = 1 << 14
"""Words whose ids a tokenizer remembers."""


class Tokenizer(ABC):
    """A kind of tokenizer, with what a model's own is like. Two with the same values are equal."""

    kind: ClassVar[str]
    vocabulary: tuple[str, ...] = ()
    """What the ids from `FIRST` on mean, where that is stored; without white space."""

    @property
    def size(self) -> int:
        """How many ids there are, the special ones included; each is less."""
        return FIRST + len(self.vocabulary)

    @abstractmethod
    def encode(self, text: str, limit: int) -> list[int]:
        """The ids of a text, at most `limit`, none of them `PAD`, `START` or `MASK`.

        Total: any string has some or none. A smaller limit gives the first of the same ids, and reads no more of a long
        text than it needs.
        """

    def tokens(self, ids: Sequence[int]) -> list[str]:
        """What ids mean, for people."""
        return [SPECIAL[id] if id < FIRST else self.token(id - FIRST) for id in ids]

    def token(self, number: int) -> str:
        """What the id `FIRST + number` means, for people."""
        return self.vocabulary[number]

    @cached_property
    def _ids(self) -> dict[str, int]:
        """The id of each token of the vocabulary."""
        return {token: FIRST + number for number, token in enumerate(self.vocabulary)}

    @abstractmethod
    def as_json(self) -> dict[str, Any]:
        """What `from_json` reads, without the kind and the vocabulary."""

    @classmethod
    @abstractmethod
    def from_json(cls, fields: Fields, vocabulary: tuple[str, ...]) -> Tokenizer:
        """The tokenizer that a bundle describes.

        Raises:
            InputError: a wrong field, or a vocabulary that can't be its own.
        """


def remember(known: dict[str, list[int]], word: str, ids: list[int]) -> list[int]:
    """Keeps a word's ids in `known`, which is emptied when it is full, and returns them."""
    if len(known) >= MAX_REMEMBERED:
        known.clear()
    known[word] = ids
    return ids


def read(fields: Fields, vocabulary: tuple[str, ...]) -> Tokenizer:
    """The tokenizer that the object of a bundle.json describes.

    Raises:
        InputError: a kind that this tkit-edge doesn't know, a wrong field or vocabulary.
    """
    made = kind_of(fields, __name__).from_json(fields, vocabulary)
    assert isinstance(made, Tokenizer)
    return made
