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
    """Vectors of `width` features, averaged."""

    takes = ("text",)
    gives = ("classes", "number")
    kind: Literal["fasttext"] = "fasttext"
    width: PositiveInt = 16
    """Features of an n-gram."""
    dropout: float = Field(0.0, ge=0, lt=1)
    """Share of the averaged features that is dropped in training."""

    def build(self, spec: Spec) -> keras.Model:
        """Int32 ids [batch, tokens] to the outputs of `head`."""
        from keras import layers

        from tkit.models import _text
        from tkit.models._blocks import head

        ids, present = _text.tokens(spec)
        x = _text.mean(_text.embedding(ids, spec, self.width), present)
        if self.dropout:
            x = layers.Dropout(self.dropout, name="dropout")(x)
        return _text.model(ids, head(x, spec), "fasttext")
