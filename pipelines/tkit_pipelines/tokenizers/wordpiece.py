"""A vocabulary of pieces that frequent words are, and that other words are made of."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from pydantic import Field, PositiveInt

from tkit_edge.inputs.tokenizers import FIRST
from tkit_edge.inputs.tokenizers import wordpiece as edge
from tkit_edge.vocabulary import MAX_TOKEN_BYTES, MAX_TOKENS
from tkit_pipelines.tokenizers import TokenizerConfig
from tkit_pipelines.tokenizers._counting import word_counts
from tkit_pipelines.tokenizers._merging import learned_pieces


class WordPiece(TokenizerConfig):
    """An id per word or piece of one; only words with a rare character are unknown.

    Encoded longest match first (Wu et al. 2016, arXiv:1609.08144); learned by merging pairs, as Hugging Face does it.
    """

    kind: Literal["wordpiece"] = "wordpiece"
    size: int = Field(default=8192, gt=FIRST, le=FIRST + MAX_TOKENS)
    """Ids at most, the special ones included."""
    min_count: PositiveInt = 2
    """How often a piece has to occur."""
    lowercase: bool = True
    """Whether case is ignored."""

    def learn(self, texts: Sequence[str]) -> edge.WordPiece:
        """The most frequent characters, then pieces, each the most frequent pair of earlier ones, ties by code points.

        Raises:
            InputError: the texts have no words, or no character that is frequent enough.
        """
        counts = word_counts(texts, self.lowercase, MAX_TOKEN_BYTES - len(edge.CONTINUES))
        return edge.WordPiece(tuple(learned_pieces(counts, self.size - FIRST, self.min_count)), self.lowercase)
