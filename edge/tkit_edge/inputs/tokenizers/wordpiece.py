"""WordPiece: words, and the parts that rarer words are made of.

Source: Wu et al. 2016, arXiv:1609.08144; longest match first, and `##` before what continues a word, as in BERT (Devlin
et al. 2018, arXiv:1810.04805).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from tkit_edge import vocabulary as vocabularies
from tkit_edge.fields import Fields
from tkit_edge.inputs.tokenizers import UNKNOWN, Tokenizer, remember
from tkit_edge.text_normalization import words

CONTINUES = "##"
MAX_CHARACTERS = 100
"""Of a word; longer ones are `UNKNOWN`."""


@dataclass(frozen=True)
class WordPiece(Tokenizer):
    """An id per word of the vocabulary, several for another; `UNKNOWN` for one that its pieces don't make up."""

    kind = "wordpiece"
    vocabulary: tuple[str, ...] = field()
    lowercase: bool

    def encode(self, text: str, limit: int) -> list[int]:
        """The first `limit` ids; each word has one at least, so that no more than `limit` words are divided."""
        ids: list[int] = []
        known = self._known
        for word in words(text, self.lowercase):
            if len(ids) >= limit:
                break
            if len(word) > MAX_CHARACTERS:
                ids.append(UNKNOWN)
            else:
                ids += known.get(word) or remember(known, word, self._pieces(word))
        return ids[:limit]

    def as_json(self) -> dict[str, Any]:
        """Whether case is ignored."""
        return {"lowercase": self.lowercase}

    @classmethod
    def from_json(cls, fields: Fields, vocabulary: tuple[str, ...]) -> WordPiece:
        """As `as_json` wrote it."""
        return cls(vocabularies.checked(vocabulary, fields.file), fields.get("lowercase", bool))

    def _pieces(self, word: str) -> list[int]:
        """The longest piece that the word begins with, then the longest of the rest, and so on."""
        ids: list[int] = []
        start = 0
        while start < len(word):
            prefix = CONTINUES if start else ""
            for end in range(len(word), start, -1):
                found = self._ids.get(prefix + word[start:end])
                if found is not None:
                    ids.append(found)
                    start = end
                    break
            else:
                return [UNKNOWN]
        return ids

    @cached_property
    def _known(self) -> dict[str, list[int]]:
        """The ids of words that were met."""
        return {}
