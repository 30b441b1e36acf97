"""N-grams of a vocabulary, of words and, within each word, of characters; others are left out, and each is there once.

In the vocabulary words are joined by "\u2581" and begin with it, so that no line has a space and the word "art" is
another n-gram than the letters of "party".

Source: Joulin et al. 2017, arXiv:1607.01759 (fastText), without its hashing.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import islice
from typing import Any

from tkit_edge import text_normalization
from tkit_edge import vocabulary as vocabularies
from tkit_edge.fields import Fields
from tkit_edge.inputs.tokenizers import Tokenizer
from tkit_edge.ngram_lists import MAX_CHARACTERS, MAX_WORDS, lengths_of, of_words, within

JOINT = "\u2581"


@dataclass(frozen=True)
class KnownNGrams(Tokenizer):
    """An id per n-gram that is known: of words first, the shortest first, then those of each word's characters."""

    kind = "known_ngrams"
    vocabulary: tuple[str, ...] = field()
    words: tuple[int, int]
    """The fewest and the most words of an n-gram."""
    characters: tuple[int, int] | None
    """The fewest and the most characters; None for words alone."""
    lowercase: bool

    def encode(self, text: str, limit: int) -> list[int]:
        """The first `limit` ids of the text's first `limit` words."""
        known = self._ids
        words = list(islice(text_normalization.words(text, self.lowercase), limit))
        found = dict.fromkeys(known[gram] for gram in named(words, self.words, self.characters) if gram in known)
        return list(islice(found, limit))

    def as_json(self) -> dict[str, Any]:
        """All values but the vocabulary."""
        characters = list(self.characters) if self.characters else None
        return {"words": list(self.words), "characters": characters, "lowercase": self.lowercase}

    @classmethod
    def from_json(cls, fields: Fields, vocabulary: tuple[str, ...]) -> KnownNGrams:
        """As `as_json` wrote it."""
        characters = fields.get("characters", (list, type(None)))
        return cls(
            vocabularies.checked(vocabulary, fields.file),
            lengths_of(fields, "words", MAX_WORDS),
            None if characters is None else lengths_of(fields, "characters", MAX_CHARACTERS),
            fields.get("lowercase", bool),
        )


def named(words: list[str], lengths: tuple[int, int], characters: tuple[int, int] | None) -> list[str]:
    """All n-grams of words, as the vocabulary has them, in the order of their ids."""
    grams = [f"{JOINT}{gram.replace(' ', JOINT)}" for gram in of_words(words, lengths)]
    return grams + [gram for word in words for gram in (within(word, characters) if characters else ())]
