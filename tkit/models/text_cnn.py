"""Convolutions of several widths over a text's vectors, and the largest value of each over the whole text.

Source: Kim 2014, "Convolutional neural networks for sentence classification".
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from pydantic import Field, PositiveInt

from tkit.models import Model, Spec

if TYPE_CHECKING:
    import keras


class TextCNN(Model):
    """`filters` convolutions of each of the `kernels`."""

    takes = ("text",)
    gives = ("classes", "number")
    kind: Literal["text_cnn"] = "text_cnn"
    width: PositiveInt = 64
    """Features of a token."""
    kernels: tuple[PositiveInt, ...] = Field((3, 4, 5), min_length=1)
    """Tokens that a convolution spans."""
    filters: PositiveInt = 64
    """Of each kernel."""
    dropout: float = Field(0.5, ge=0, lt=1)
    """Share of the features that is dropped in training, of tokens and of the text."""

    def build(self, spec: Spec) -> keras.Model:
        """Int32 ids [batch, tokens] to the outputs of `head`."""
        from keras import layers

        from tkit.models import _text
        from tkit.models._blocks import head

        ids, present = _text.tokens(spec)
        flags = _text.flags(present)
        x = layers.Multiply(name="tokens_only")([_text.embedding(ids, spec, self.width), flags])
        x = layers.Dropout(self.dropout, name="embedding_dropout")(x)
        found = []
        for size in self.kernels:
            y = layers.Conv1D(self.filters, size, padding="same", activation="relu", name=f"conv{size}")(x)
            # After a ReLU nothing is less than the 0 of padding.
            y = layers.Multiply(name=f"conv{size}_tokens_only")([y, flags])
            found.append(layers.GlobalMaxPooling1D(name=f"pool{size}")(y))
        x = layers.Concatenate(name="pools")(found) if len(found) > 1 else found[0]
        x = layers.Dropout(self.dropout, name="dropout")(x)
        return _text.model(ids, head(x, spec), "text_cnn")
