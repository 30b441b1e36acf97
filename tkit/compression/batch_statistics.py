"""Batch normalization's statistics, estimated anew on training examples.

Moving averages follow the weights slowly: with Keras's momentum of 0.99 they still contain an eighth of their initial
values after 200 steps. After a short training they describe weights that have changed since.

Source: Wu and Johnson 2021, "Rethinking 'Batch' in BatchNorm", section 3 (PreciseBN).
"""

from __future__ import annotations

import math

import keras
import numpy as np

from tkit.arrays import count, fed, part
from tkit.graph import clone, cloned
from tkit_edge.tensors import Arrays

STALE = 0.01
"""Share of older values above which moving averages lag behind the weights."""
PIXELS_AT_ONCE = 2**22
"""Pixels of one batch, which bounds the memory."""
EXAMPLES_AT_ONCE = 256


class _Observed(keras.layers.BatchNormalization):
    """Normalizes by the batch's own statistics, and keeps them."""

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        """The stock layer's variables."""
        super().build(input_shape)
        self.seen: list[tuple[np.ndarray, np.ndarray]] = []

    def call(self, inputs: keras.KerasTensor, training: bool | None = None, mask: None = None) -> keras.KerasTensor:
        """Float32 in and out, in training as at inference."""
        axes = [axis for axis in range(len(inputs.shape)) if axis != self.axis % len(inputs.shape)]
        mean, variance = keras.ops.moments(inputs, axes)
        if not isinstance(mean, keras.KerasTensor):
            self.seen.append((np.asarray(mean, np.float64), np.asarray(variance, np.float64)))
        self.moving_mean.assign(mean)
        self.moving_variance.assign(variance)
        return super().call(inputs, training=False)


def at_once(examples: Arrays) -> int:
    """How many of the examples make one batch: as many as certainly fit into memory."""
    pixels = max(math.prod(array.shape[1:3]) for array in examples.values())
    return min(EXAMPLES_AT_ONCE, max(1, PIXELS_AT_ONCE // pixels))


def lagging(model: keras.Model, steps: int) -> bool:
    """Whether a training of `steps` leaves moving averages in which more than 1 % is older than its second half."""
    return any(norm.momentum ** (steps / 2) > STALE for norm in _trained(model))


def estimate(model: keras.Model, examples: Arrays, seed: int) -> None:
    """Sets the statistics of the trained batch normalizations to those of `examples`, in one pass.

    Each batch is normalized by its own statistics, which are then averaged: exact where one batch holds all examples.

    Args:
        model: float32 functional model; its layers may be viewed. Frozen normalizations stay as they are.
        examples: training examples.
        seed: shuffles them, which are often ordered by class.
    """
    names = {norm.name for norm in _trained(model)}
    copy = cloned(model, lambda layer: clone(layer, _Observed if layer.name in names else None))
    total = count(examples)
    order = np.random.default_rng(seed).permutation(total)
    for indices in np.array_split(order, math.ceil(total / at_once(examples))):
        copy(fed(model, part(examples, indices)), training=False)
    for name in names:
        means, variances = (np.stack(items) for items in zip(*copy.get_layer(name).seen, strict=True))
        norm, mean = model.get_layer(name), means.mean(axis=0)
        norm.moving_mean.assign(mean)
        norm.moving_variance.assign((variances + means**2).mean(axis=0) - mean**2)


def _trained(model: keras.Model) -> list[keras.layers.BatchNormalization]:
    return [layer for layer in model.layers if type(layer) is keras.layers.BatchNormalization and layer.trainable]
