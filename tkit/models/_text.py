"""The few block helpers that the text families share; stable layer names come from `name`.

Padding is dealt with by integer operators and tables of two rows, so that int8 files compute it in integers.
"""

from __future__ import annotations

from typing import NamedTuple

import keras
import numpy as np
from keras import layers, ops

from tkit.models import Spec
from tkit.passes.attention import MASKED
from tkit_edge.inputs.tokenizers import PAD

_FILLED = {"padding": [[MASKED], [0.0]], "present": [[0.0], [1.0]]}
"""The rows of the tables for padding and for tokens, by the layer's name."""


class Tokens(NamedTuple):
    """A model's input of ids, of any length."""

    ids: keras.KerasTensor
    """int32 [batch, tokens]."""
    present: keras.KerasTensor
    """int32 [batch, tokens]: 0 where there is padding, 1 elsewhere."""


def tokens(spec: Spec) -> Tokens:
    """The model's input."""
    (taken,) = spec.inputs
    ids = keras.Input((None,), dtype="int32", name=taken.name)
    assert PAD == 0
    return Tokens(ids, ops.minimum(ids, 1))


def embedding(ids: keras.KerasTensor, spec: Spec, width: int, deviation: float = 0.05) -> keras.KerasTensor:
    """A trained vector for each id: [batch, tokens, width]; it begins at random, with this standard deviation."""
    (size,) = spec.sizes.values()
    initial = keras.initializers.RandomNormal(stddev=deviation)
    return layers.Embedding(size, width, embeddings_initializer=initial, name="token_embedding")(ids)


def mean(x: keras.KerasTensor, present: keras.KerasTensor) -> keras.KerasTensor:
    """The mean of the positions that aren't padding: [batch, tokens, width] to [batch, width].

    It is a softmax over logits of 0 and `MASKED`: a division by a number of tokens has no int8 operator.
    """
    logits = layers.Permute((2, 1), name="pool_logits")(_row_of("padding", present))
    shares = layers.Softmax(name="pool_shares")(logits)
    return layers.Flatten(name="pool")(layers.Dot((2, 1), name="pool_mean")([shares, x]))


def total(x: keras.KerasTensor, present: keras.KerasTensor) -> keras.KerasTensor:
    """The sum of the positions that aren't padding: [batch, tokens, width] to [batch, width]."""
    turned = layers.Permute((2, 1), name="pool_flags")(flags(present))
    return layers.Flatten(name="pool")(layers.Dot((2, 1), name="pool_sum")([turned, x]))


def flags(present: keras.KerasTensor) -> keras.KerasTensor:
    """float32 [batch, tokens, 1]: 0 where there is padding, 1 elsewhere."""
    return _row_of("present", present)


def model(ids: keras.KerasTensor, outputs: keras.KerasTensor, name: str) -> keras.Model:
    """The model, its fixed tables filled."""
    made = keras.Model(ids, outputs, name=name)
    for layer in made.layers:
        if layer.name in _FILLED:
            layer.set_weights([np.array(_FILLED[layer.name], np.float32)])
    return made


def _row_of(table: str, present: keras.KerasTensor) -> keras.KerasTensor:
    """float32 [batch, tokens, 1]: of one number for padding, of another elsewhere."""
    return layers.Embedding(2, 1, trainable=False, name=table)(present)
