"""A Transformer encoder that classifies a text: pre-normalized blocks over token and position embeddings.

Sources: Vaswani et al. 2017 (attention, sinusoidal positions), Xiong et al. 2020 (normalization before each block),
Devlin et al. 2018 (learned positions, pooling of the first token).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, Self

import numpy as np
from pydantic import Field, PositiveInt, model_validator

from tkit.models import Model, Spec

if TYPE_CHECKING:
    import keras


class Transformer(Model):
    """`depth` blocks of attention and a feed-forward network."""

    takes = ("text",)
    gives = ("classes", "number")
    kind: Literal["transformer"] = "transformer"
    depth: PositiveInt = 2
    """Blocks."""
    width: PositiveInt = 64
    """Features of a token."""
    heads: PositiveInt = 4
    """Of attention; they divide `width`."""
    expansion: PositiveInt = 2
    """Features of the feed-forward network, as a multiple of `width`."""
    positions: Literal["learned", "sinusoidal"] = "learned"
    """How a token knows its place."""
    pooling: Literal["mean", "first"] = "mean"
    """What is classified: the mean of all tokens, or the first, which stands for the text's start."""
    dropout: float = Field(0.1, ge=0, lt=1)
    """Share of the features that is dropped in training, of embeddings and in each block."""

    @model_validator(mode="after")
    def _divides(self) -> Self:
        if self.width % self.heads:
            raise ValueError(f"heads must divide width: {self.width} is no multiple of {self.heads}")
        return self

    def build(self, spec: Spec) -> keras.Model:
        """Int32 ids [batch, tokens] to the outputs of `head`."""
        from keras import layers, ops

        from tkit.models import _text
        from tkit.models._blocks import head

        ids, present = _text.tokens(spec)
        mask = ops.expand_dims(ops.not_equal(ids, 0), 1)
        x = layers.Add(name="embedding")([_text.embedding(ids, spec, self.width), self._places(present, spec)])
        x = layers.Dropout(self.dropout, name="embedding_dropout")(x)
        for number in range(1, self.depth + 1):
            name = f"block{number}"
            y = _normalized(x, f"{name}_attention_norm")
            size = self.width // self.heads
            y = layers.MultiHeadAttention(self.heads, size, name=f"{name}_attention")(y, y, attention_mask=mask)
            y = layers.Dropout(self.dropout, name=f"{name}_attention_dropout")(y)
            x = layers.Add(name=f"{name}_attention_add")([x, y])
            y = _normalized(x, f"{name}_feed_norm")
            y = layers.Dense(self.expansion * self.width, activation="gelu", name=f"{name}_feed_up")(y)
            y = layers.Dense(self.width, name=f"{name}_feed_down")(y)
            y = layers.Dropout(self.dropout, name=f"{name}_feed_dropout")(y)
            x = layers.Add(name=f"{name}_feed_add")([x, y])
        pooled = _text.mean(x, present) if self.pooling == "mean" else ops.take(x, 0, axis=1)
        pooled = layers.Dropout(self.dropout, name="dropout")(_normalized(pooled, "norm"))
        made = _text.model(ids, head(pooled, spec), "transformer")
        if self.positions == "sinusoidal":
            made.get_layer("position_embedding").set_weights([_waves(spec.shape[0] + 1, self.width)])
        return made

    def _places(self, present: keras.KerasTensor, spec: Spec) -> keras.KerasTensor:
        """A vector for each token's place, counted from 1: [batch, tokens, width]."""
        from keras import initializers, layers, ops

        return layers.Embedding(
            spec.shape[0] + 1,
            self.width,
            embeddings_initializer=initializers.RandomNormal(stddev=0.02),
            trainable=self.positions == "learned",
            name="position_embedding",
        )(ops.cumsum(present, axis=1))


def _normalized(x: keras.KerasTensor, name: str) -> keras.KerasTensor:
    from keras import layers

    return layers.LayerNormalization(epsilon=1e-5, name=name)(x)


def _waves(places: int, width: int) -> np.ndarray:
    """Sines and cosines of geometrically spaced wavelengths: float32 [places, width]."""
    angles = np.arange(places)[:, None] / 10_000 ** (2 * (np.arange(width) // 2) / width)
    return np.where(np.arange(width) % 2, np.cos(angles), np.sin(angles)).astype(np.float32)
