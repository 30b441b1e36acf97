"""A vocabulary of the most frequent words."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from pydantic import Field, PositiveInt

from tkit_edge.inputs.tokenizers import FIRST
from tkit_edge.inputs.tokenizers import words as edge
from tkit_edge.vocabulary import MAX_TOKEN_BYTES, MAX_TOKENS
from tkit_pipelines.tokenizers import TokenizerConfig
from tkit_pipelines.tokenizers._counting import most_frequent, word_counts


class Words(TokenizerConfig):
    """An id per word; what is rare is unknown."""

    kind: Literal["words"] = "words"
    size: int = Field(default=8192, gt=FIRST, le=FIRST + MAX_TOKENS)
    """Ids at most, the special ones included."""
    min_count: PositiveInt = 2
    """How often a word has to occur."""
    lowercase: bool = True
    """Whether case is ignored."""

    def learn(self, texts: Sequence[str]) -> edge.Words:
        """The most frequent words, ties by code points.

        Raises:
            InputError: the texts have no words, or none that is frequent enough.
        """
        counts = word_counts(texts, self.lowercase, MAX_TOKEN_BYTES)
        return edge.Words(tuple(most_frequent(counts, self.size - FIRST, self.min_count)), self.lowercase)
