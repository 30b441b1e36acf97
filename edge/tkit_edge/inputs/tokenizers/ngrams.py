"""Hashed n-grams of words and, within each word, of characters: no vocabulary, nothing unknown.

An n-gram's id is `FIRST` + the CRC-32 of its UTF-8 bytes (`zlib.crc32`: fast, and the same everywhere) modulo the
number of buckets. The words of one are joined by spaces. Characters are those of a word with "<" before and ">" behind
it, and their CRC starts from 1 instead of 0, so that "art" is another n-gram in "party" than as a word.

Source: Bojanowski et al. 2017, arXiv:1607.04606, and Joulin et al. 2017, arXiv:1607.01759 (fastText).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from itertools import islice
from typing import Any
from zlib import crc32

from tkit_edge import text_normalization
from tkit_edge import vocabulary as vocabularies
from tkit_edge.fields import Fields
from tkit_edge.inputs.tokenizers import FIRST, Tokenizer, remember
from tkit_edge.ngram_lists import MAX_CHARACTERS, MAX_WORDS, lengths_of, of_words, within

MAX_BUCKETS = 1 << 24
_MAX_REMEMBERED_CHARACTERS = 32  # of a word: longer ones seldom come back, and have many n-grams


@dataclass(frozen=True)
class NGrams(Tokenizer):
    """An id per n-gram: of words first, the shortest first, then those of each word's characters."""

    kind = "ngrams"
    buckets: int
    words: tuple[int, int]
    """The fewest and the most words of an n-gram."""
    characters: tuple[int, int] | None
    """The fewest and the most characters; None for words alone."""
    lowercase: bool

    @property
    def size(self) -> int:
        """The special ids and one per bucket."""
        return FIRST + self.buckets

    def encode(self, text: str, limit: int) -> list[int]:
        """The first `limit` ids.

        So many words have one at least, so no others are read than these and what the last one's n-gram ends with.
        """
        words = list(islice(text_normalization.words(text, self.lowercase), limit + self.words[1] - 1))
        grams = islice(of_words(words, self.words), limit)
        ids = [FIRST + crc32(gram.encode()) % self.buckets for gram in grams]
        if self.characters:
            for word in words:
                if len(ids) >= limit:
                    break
                ids += self._known.get(word) or self._within(word)
        return ids[:limit]

    def token(self, number: int) -> str:
        """The bucket: which n-grams are in it isn't stored."""
        return f"bucket {number}"

    def as_json(self) -> dict[str, Any]:
        """All values."""
        lengths = {"words": list(self.words), "characters": list(self.characters) if self.characters else None}
        return {"buckets": self.buckets, **lengths, "lowercase": self.lowercase}

    @classmethod
    def from_json(cls, fields: Fields, vocabulary: tuple[str, ...]) -> NGrams:
        """As `as_json` wrote it."""
        vocabularies.refused(vocabulary, fields.file, cls.kind)
        characters = fields.get("characters", (list, type(None)))
        return cls(
            fields.count("buckets", most=MAX_BUCKETS),
            lengths_of(fields, "words", MAX_WORDS),
            None if characters is None else lengths_of(fields, "characters", MAX_CHARACTERS),
            fields.get("lowercase", bool),
        )

    def _within(self, word: str) -> list[int]:
        """The ids of a word's character n-grams."""
        assert self.characters is not None
        ids = [FIRST + crc32(gram.encode(), 1) % self.buckets for gram in within(word, self.characters)]
        return remember(self._known, word, ids) if len(word) <= _MAX_REMEMBERED_CHARACTERS else ids

    @cached_property
    def _known(self) -> dict[str, list[int]]:
        """The ids of the character n-grams of words that were met."""
        return {}
