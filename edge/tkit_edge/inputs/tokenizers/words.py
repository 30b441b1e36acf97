"""Whole words, those of a vocabulary; any other is `UNKNOWN`."""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import islice
from typing import Any

from tkit_edge import vocabulary as vocabularies
from tkit_edge.fields import Fields
from tkit_edge.inputs.tokenizers import UNKNOWN, Tokenizer
from tkit_edge.text_normalization import words


@dataclass(frozen=True)
class Words(Tokenizer):
    """An id per word."""

    kind = "words"
    vocabulary: tuple[str, ...] = field()
    lowercase: bool

    def encode(self, text: str, limit: int) -> list[int]:
        """The ids of the first `limit` words; what follows them isn't read."""
        known = self._ids
        return [known.get(word, UNKNOWN) for word in islice(words(text, self.lowercase), limit)]

    def as_json(self) -> dict[str, Any]:
        """Whether case is ignored."""
        return {"lowercase": self.lowercase}

    @classmethod
    def from_json(cls, fields: Fields, vocabulary: tuple[str, ...]) -> Words:
        """As `as_json` wrote it."""
        return cls(vocabularies.checked(vocabulary, fields.file), fields.get("lowercase", bool))
