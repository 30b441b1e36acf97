"""A bag of tokens or hashed n-grams: the mean of their vectors, and one dense layer.

Source: Joulin et al. 2016, "Bag of tricks for efficient text classification" (fastText).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from pydantic import Field, PositiveInt

from tkit.models import Model, Spec

if TYPE_CHECKING:
    import keras


class FastText(Model):
    """Vectors of `width` features, averaged or added."""

    takes = ("text",)
    gives = ("classes", "number")
    kind: Literal["fasttext"] = "fasttext"
    width: PositiveInt = 16
    """Features of an n-gram."""
    pooling: Literal["mean", "sum"] = "mean"
    """How the vectors become one."""
    ngram_dropout: float = Field(0.0, ge=0, lt=1)
    """Share of the n-grams that is dropped in training, the others' vectors being as much larger."""
    dropout: float = Field(0.0, ge=0, lt=1)
    """Share of the pooled features that is dropped in training."""

    def build(self, spec: Spec) -> keras.Model:
        """Int32 ids [batch, tokens] to the outputs of `head`."""
        from keras import layers

        from tkit.models import _text
        from tkit.models._blocks import head

        ids, present = _text.tokens(spec)
        # Near 0: an n-gram that training never saw adds nothing.
        x = _text.embedding(ids, spec, self.width, deviation=1e-3)
        if self.ngram_dropout:
            x = layers.Dropout(self.ngram_dropout, noise_shape=(None, None, 1), name="ngram_dropout")(x)
        x = (_text.mean if self.pooling == "mean" else _text.total)(x, present)
        if self.dropout:
            x = layers.Dropout(self.dropout, name="dropout")(x)
        return _text.model(ids, head(x, spec), "fasttext")
