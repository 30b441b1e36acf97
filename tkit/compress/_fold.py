"""Batch normalization folded into the layer before it, as the device's runtime has none.

Source: Jacob et al. 2018, "Quantization and Training of Neural Networks for Efficient Integer-Arithmetic-Only
Inference", section 3.2.
"""

from __future__ import annotations

from typing import Any

import keras
import numpy as np

from tkit.compress._graph import calls, clone, nodes, rebuilt, users
from tkit.compress._kernels import scale_shape

_LINEAR = (keras.layers.Conv2D, keras.layers.DepthwiseConv2D, keras.layers.Conv2DTranspose, keras.layers.Dense)


def fold(model: keras.Model) -> keras.Model:
    """A copy of a stock functional `model` without the batch normalizations that follow a layer with a kernel.

    The layer gets a bias; all others stay as they are, under their names. Equal to `model` at inference up to
    rounding. A normalization stays where the layer before it has an activation, or something else takes its output.
    """
    folded = _pairs(model)
    norms = {norm.name for norm in folded.values()}
    made: dict[str, keras.layers.Layer] = {}

    def call(node: Any, arguments: tuple[Any, ...], keywords: dict[str, Any]) -> Any:
        layer = node.operation
        if layer.name in norms:
            return arguments[0]
        if not isinstance(layer, keras.layers.Layer):
            return layer(*arguments, **keywords)
        if layer.name not in made:
            made[layer.name] = clone(layer, **({"use_bias": True} if layer.name in folded else {}))
        return made[layer.name](*arguments, **keywords)

    copy = rebuilt(model, lambda tensor: tensor, call)
    for name, layer in made.items():
        old = model.get_layer(name)
        layer.trainable = old.trainable
        if name not in folded:
            layer.set_weights(old.get_weights())
            continue
        factor, offset = affine(folded[name])
        kernel = old.kernel.numpy()
        bias = old.bias.numpy() if old.use_bias else 0.0
        layer.set_weights([kernel * factor.reshape(scale_shape(old, kernel.shape)), bias * factor + offset])
    return copy


def factors(model: keras.Model) -> dict[str, np.ndarray]:
    """What `fold` multiplies each output channel's kernel by: by layer, float32 [channels]; some may be negative."""
    return {name: affine(norm)[0] for name, norm in _pairs(model).items()}


def _pairs(model: keras.Model) -> dict[str, keras.layers.BatchNormalization]:
    """The layers that can be folded, each with its batch normalization."""
    taken, count = users(model), calls(model)
    found = {}
    for node in nodes(model):
        layer, after = node.operation, [user for tensor in node.outputs for user in taken.get(id(tensor), [])]
        if type(layer) not in _LINEAR or layer.activation is not keras.activations.linear or len(after) != 1:
            continue
        norm = after[0] and after[0].operation
        once = norm and count[layer.name] == count[norm.name] == 1
        if once and type(norm) is keras.layers.BatchNormalization and _last_axis(norm):
            found[layer.name] = norm
    return found


def _last_axis(norm: keras.layers.BatchNormalization) -> bool:
    return norm.axis in (-1, len(norm.input.shape) - 1)


def affine(norm: keras.layers.BatchNormalization) -> tuple[np.ndarray, np.ndarray]:
    """A batch normalization at inference is `factor * x + offset`, float32 [channels] both."""
    mean, variance = (np.asarray(item.numpy(), np.float64) for item in (norm.moving_mean, norm.moving_variance))
    factor = (norm.gamma.numpy() if norm.scale else 1.0) / np.sqrt(variance + norm.epsilon)
    offset = (norm.beta.numpy() if norm.center else 0.0) - mean * factor
    return factor.astype(np.float32), offset.astype(np.float32)
