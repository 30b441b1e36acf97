"""Hashed n-grams: nothing to learn."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from tkit_edge.inputs.tokenizers import ngrams as edge
from tkit_edge.ngram_lists import MAX_CHARACTERS, MAX_WORDS
from tkit_pipelines.tokenizers import TokenizerConfig


def _ascending(lengths: tuple[int, int]) -> tuple[int, int]:
    if lengths[0] > lengths[1]:
        raise ValueError(f"expected the fewest and the most, received {lengths[0]} and {lengths[1]}")
    return lengths


_Words = Annotated[int, Field(ge=1, le=MAX_WORDS)]
_Characters = Annotated[int, Field(ge=1, le=MAX_CHARACTERS)]
WordLengths = Annotated[tuple[_Words, _Words], AfterValidator(_ascending)]
"""The fewest and the most words of an n-gram."""
Characters = Annotated[tuple[_Characters, _Characters], AfterValidator(_ascending)]
"""The fewest and the most characters of one."""


class NGrams(TokenizerConfig):
    """An id per n-gram of words and of characters, by their hash, for models that ignore the order of ids.

    Source: Joulin et al. 2017, arXiv:1607.01759 (fastText).
    """

    kind: Literal["ngrams"] = "ngrams"
    buckets: int = Field(default=1 << 15, ge=1, le=edge.MAX_BUCKETS)
    """Ids beside the special ones; n-grams of the same hash share one."""
    words: WordLengths = (1, 2)
    """The fewest and the most words of an n-gram."""
    characters: Characters | None = (3, 5)
    """The fewest and the most characters of an n-gram within a word; null for words alone."""
    lowercase: bool = True
    """Whether case is ignored."""

    def learn(self, texts: Sequence[str]) -> edge.NGrams:
        """The same for any texts."""
        return edge.NGrams(self.buckets, self.words, self.characters, self.lowercase)
