"""N-grams that training texts have, by a vocabulary of them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Literal

from pydantic import Field, PositiveInt

from tkit_edge.errors import InputError
from tkit_edge.inputs.tokenizers import FIRST
from tkit_edge.inputs.tokenizers import known_ngrams as edge
from tkit_edge.text_normalization import words
from tkit_edge.vocabulary import MAX_TOKEN_BYTES, MAX_TOKENS
from tkit_pipelines.tokenizers import TokenizerConfig
from tkit_pipelines.tokenizers._counting import most_frequent
from tkit_pipelines.tokenizers.ngrams import Characters, WordLengths


class KnownNGrams(TokenizerConfig):
    """An id per n-gram of words and of characters that enough training texts have, for models that ignore their order.

    Without the collisions of hashed `ngrams`, and with a vocabulary to carry.
    """

    kind: Literal["known_ngrams"] = "known_ngrams"
    size: int = Field(default=65_536, gt=FIRST, le=FIRST + MAX_TOKENS)
    """Ids at most, the special ones included."""
    min_count: PositiveInt = 2
    """How many texts have to have an n-gram."""
    words: WordLengths = (1, 2)
    """The fewest and the most words of an n-gram."""
    characters: Characters | None = (3, 5)
    """The fewest and the most characters of an n-gram within a word; null for words alone."""
    lowercase: bool = True
    """Whether case is ignored."""

    def learn(self, texts: Sequence[str]) -> edge.KnownNGrams:
        """Those that the most texts have, ties by code points.

        Raises:
            InputError: the texts have no words, or no n-gram that is frequent enough.
        """
        counts: Counter[str] = Counter()
        for text in texts:
            counts.update(set(edge.named(list(words(text, self.lowercase)), self.words, self.characters)))
        counts = Counter({gram: count for gram, count in counts.items() if len(gram.encode()) <= MAX_TOKEN_BYTES})
        if not counts:
            raise InputError(
                "The training texts have no words: expected some to learn a vocabulary from. Check which column is "
                "text."
            )
        kept = most_frequent(counts, self.size - FIRST, self.min_count)
        return edge.KnownNGrams(tuple(kept), self.words, self.characters, self.lowercase)
