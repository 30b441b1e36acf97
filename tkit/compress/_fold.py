"""Normalizations folded into layers with kernels, as the device's runtime has none.

Batch normalization goes into the layer before it. Of layer normalization, which depends on what comes in, gain and
offset go into the dense layers after it, or into a depthwise convolution.

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
    Layer normalizations lose gain and offset, to the dense layers after them or, where others follow, to a 1x1
    depthwise convolution `<name>_affine`.
    """
    return _batch_folded(_layer_folded(model))


def _batch_folded(model: keras.Model) -> keras.Model:
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


def _layer_folded(model: keras.Model) -> keras.Model:
    """`model` with layer normalizations that only normalize."""
    taken, count = users(model), calls(model)
    norms: dict[str, keras.layers.LayerNormalization] = {}
    into: dict[str, keras.layers.LayerNormalization] = {}
    for node in nodes(model):
        layer = node.operation
        if type(layer) is not keras.layers.LayerNormalization or count[layer.name] > 1 or not _plain(layer):
            continue
        norms[layer.name] = layer
        after = [user and user.operation for user in taken[id(node.outputs[0])]]
        if all(type(user) is keras.layers.Dense and count[user.name] == 1 for user in after):
            into.update((user.name, layer) for user in after)
    if not norms:
        return model
    made: dict[str, keras.layers.Layer] = {}

    def call(node: Any, arguments: tuple[Any, ...], keywords: dict[str, Any]) -> Any:
        layer = node.operation
        if not isinstance(layer, keras.layers.Layer):
            return layer(*arguments, **keywords)
        if layer.name not in made:
            changes = {"scale": False, "center": False} if layer.name in norms else {}
            made[layer.name] = clone(layer, **changes, **({"use_bias": True} if layer.name in into else {}))
        output = made[layer.name](*arguments, **keywords)
        if layer.name not in norms or norms[layer.name] in into.values():
            return output
        made[f"{layer.name}_affine"] = affine = keras.layers.DepthwiseConv2D(1, name=f"{layer.name}_affine")
        return _as_pixels(affine, output)

    copy = rebuilt(model, lambda tensor: tensor, call)
    for name, layer in made.items():
        if name.removesuffix("_affine") in norms:
            norm = norms[name.removesuffix("_affine")]
            layer.trainable = norm.trainable
            if name not in norms:
                gain, offset = _gain(norm)
                layer.set_weights([gain[None, None, :, None], offset])
            continue
        old = model.get_layer(name)
        layer.trainable = old.trainable
        if name not in into:
            layer.set_weights(old.get_weights())
            continue
        gain, offset = _gain(into[name])
        kernel, bias = old.kernel.numpy(), old.bias.numpy() if old.use_bias else 0.0
        layer.set_weights([kernel * gain[:, None], bias + offset @ kernel])
    return copy


def _plain(norm: keras.layers.LayerNormalization) -> bool:
    """Whether it is over the last axis, which is always there, and has something to fold."""
    rank = len(norm.input.shape)
    axis = [norm.axis] if isinstance(norm.axis, int) else list(norm.axis)
    return (norm.scale or norm.center) and rank in (2, 3, 4) and axis in ([-1], [rank - 1])


def _gain(norm: keras.layers.LayerNormalization) -> tuple[np.ndarray, np.ndarray]:
    size = norm.input.shape[-1]
    gain = norm.gamma.numpy() if norm.scale else np.ones(size, np.float32)
    return gain, norm.beta.numpy() if norm.center else np.zeros(size, np.float32)


def _as_pixels(layer: keras.layers.Layer, tensor: Any) -> Any:
    """A convolution of [batch, channels] or [batch, tokens, channels], which it takes as a row of pixels."""
    size = tuple(tensor.shape[1:])
    if len(size) == 3:
        return layer(tensor)
    row = (1, *size) if len(size) == 2 else (1, 1, *size)
    return keras.layers.Reshape(size, name=f"{layer.name}_back")(
        layer(keras.layers.Reshape(row, name=f"{layer.name}_row")(tensor))
    )


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
