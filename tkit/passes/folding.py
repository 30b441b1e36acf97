"""Normalizations folded into layers with kernels, as the device's runtime has none.

Batch normalization is folded into the layer before it, through a Reshape too that makes channels of its units. Layer
normalization depends on its input: only its gain and offset are folded, into the dense layers after it or into a
depthwise convolution.

Source: Jacob et al. 2018, "Quantization and Training of Neural Networks for Efficient Integer-Arithmetic-Only
Inference", section 3.2.
"""

from __future__ import annotations

import math
from typing import Any

import keras
import numpy as np

from tkit.graph import Part, calls, chained, clone, copied, fresh, loaded, names, rewritten, users
from tkit.keras_internals import nodes, producer
from tkit.kernels.scales import scale_shape

_LINEAR = (keras.layers.Conv2D, keras.layers.DepthwiseConv2D, keras.layers.Conv2DTranspose, keras.layers.Dense)


def fold(model: keras.Model) -> keras.Model:
    """A copy of a stock functional `model` without the batch normalizations that follow a layer with a kernel.

    The layer gets a bias; all others are unchanged and keep their names. Equal to `model` at inference up to rounding.
    A normalization is kept where the layer before it has an activation, or something else consumes its output. The gain
    and offset of layer normalizations move to the dense layers after them or, where other layers follow, to a 1x1
    depthwise convolution `<name>_affine`.
    """
    plain = _layer_folded(model)
    return _batch_folded(plain, _pairs(plain))


def fold_reshaped(model: keras.Model) -> keras.Model:
    """A copy without the batch normalizations that are folded through a Reshape; `model` itself if there are none.

    TensorFlow's converter folds all others itself.
    """
    pairs = _pairs(model)
    reshaped = {name: norm for name, norm in pairs.items() if type(producer(norm.input)) is keras.layers.Reshape}
    return _batch_folded(model, reshaped) if reshaped else model


def _batch_folded(model: keras.Model, folded: dict[str, keras.layers.BatchNormalization]) -> keras.Model:
    norms = {id(norm) for norm in folded.values()}

    def replace(node: Any) -> Part | None:
        layer = node.operation
        if id(layer) in norms:
            return lambda tensor, **_: tensor
        if layer.name not in folded:
            return copied(layer)
        factor, offset = _affine_of(layer, folded[layer.name])
        kernel = layer.kernel.numpy()
        bias = layer.bias.numpy() if layer.use_bias else 0.0
        weights = [kernel * factor.reshape(scale_shape(layer, kernel.shape)), bias * factor + offset]
        return loaded(clone(layer, use_bias=True), weights, layer.trainable)

    return rewritten(model, replace)


def _layer_folded(model: keras.Model) -> keras.Model:
    """`model` with layer normalizations that only normalize."""
    taken, count = users(model), calls(model)
    norms: set[str] = set()
    into: dict[str, keras.layers.LayerNormalization] = {}
    for node in nodes(model):
        layer = node.operation
        if type(layer) is not keras.layers.LayerNormalization or count[layer.name] > 1 or not _plain(layer):
            continue
        norms.add(layer.name)
        after = [user and user.operation for user in taken[id(node.outputs[0])]]
        if all(type(user) is keras.layers.Dense and count[user.name] == 1 for user in after):
            into.update((user.name, layer) for user in after)
    if not norms:
        return model
    within = {norm.name for norm in into.values()}
    used = names(model)

    def replace(node: Any) -> Part | None:
        layer = node.operation
        if layer.name in norms:
            bare = clone(layer, scale=False, center=False)
            return bare if layer.name in within else chained(bare, _affine(layer, used))
        if layer.name not in into:
            return None
        gain, offset = _gain(into[layer.name])
        kernel, bias = layer.kernel.numpy(), layer.bias.numpy() if layer.use_bias else 0.0
        return loaded(clone(layer, use_bias=True), [kernel * gain[:, None], bias + offset @ kernel], layer.trainable)

    return rewritten(model, replace)


def _affine(norm: keras.layers.LayerNormalization, used: set[str]) -> Part:
    """Gain and offset as a depthwise convolution over [batch, (tokens,) channels] as a row of pixels."""
    name = fresh(f"{norm.name}_affine", used)
    gain, offset = _gain(norm)
    scaling = loaded(keras.layers.DepthwiseConv2D(1, name=name), [gain[None, None, :, None], offset], norm.trainable)
    size = tuple(norm.input.shape[1:])
    if len(size) == 3:
        return scaling
    row = (1, *size) if len(size) == 2 else (1, 1, *size)
    return chained(
        keras.layers.Reshape(row, name=fresh(f"{name}_row", used)),
        scaling,
        keras.layers.Reshape(size, name=fresh(f"{name}_back", used)),
    )


def _plain(norm: keras.layers.LayerNormalization) -> bool:
    """Whether it is over the last axis, which always exists, and has something to fold."""
    rank = len(norm.input.shape)
    axis = [norm.axis] if isinstance(norm.axis, int) else list(norm.axis)
    return (norm.scale or norm.center) and rank in (2, 3, 4) and axis in ([-1], [rank - 1])


def _gain(norm: keras.layers.LayerNormalization) -> tuple[np.ndarray, np.ndarray]:
    size = norm.input.shape[-1]
    gain = norm.gamma.numpy() if norm.scale else np.ones(size, np.float32)
    return gain, norm.beta.numpy() if norm.center else np.zeros(size, np.float32)


def factors(model: keras.Model) -> dict[str, np.ndarray]:
    """The factors by which `fold` multiplies each output channel's kernel: by layer, float32 [channels]; some may be
    negative."""
    return {name: _affine_of(model.get_layer(name), norm)[0] for name, norm in _pairs(model).items()}


def _pairs(model: keras.Model) -> dict[str, keras.layers.BatchNormalization]:
    """The layers that can be folded, each with its batch normalization."""
    taken, count = users(model), calls(model)
    found = {}
    for node in nodes(model):
        layer, user = node.operation, _only_user(node, taken)
        if type(layer) not in _LINEAR or layer.activation is not keras.activations.linear:
            continue
        if user is not None and _makes_channels(user):
            user = _only_user(user, taken)
        norm = user and user.operation
        once = norm and count[layer.name] == count[norm.name] == 1
        if once and type(norm) is keras.layers.BatchNormalization and _last_axis(norm):
            found[layer.name] = norm
    return found


def _only_user(node: Any, taken: dict[int, list[Any]]) -> Any:
    """The one node that consumes a node's outputs, if there is one and they aren't the model's."""
    after = [user for tensor in node.outputs for user in taken.get(id(tensor), [])]
    return after[0] if len(after) == 1 else None


def _makes_channels(node: Any) -> bool:
    """Whether a node is a Reshape after which unit i is of channel i modulo their number."""
    (before, *_), (after, *_) = node.input_tensors, node.outputs
    if type(node.operation) is not keras.layers.Reshape or None in (before.shape[-1], after.shape[-1]):
        return False
    return before.shape[-1] % after.shape[-1] == 0


def _last_axis(norm: keras.layers.BatchNormalization) -> bool:
    return norm.axis in (-1, len(norm.input.shape) - 1)


def _affine_of(layer: keras.layers.Layer, norm: keras.layers.BatchNormalization) -> tuple[np.ndarray, np.ndarray]:
    """`affine` for each of the layer's channels, of which several may be one of the normalization's."""
    factor, offset = affine(norm)
    times = math.prod(scale_shape(layer, tuple(layer.kernel.shape))) // len(factor)
    return np.tile(factor, times), np.tile(offset, times)


def affine(norm: keras.layers.BatchNormalization) -> tuple[np.ndarray, np.ndarray]:
    """A batch normalization at inference as `factor * x + offset`, both float32 [channels]."""
    mean, variance = (np.asarray(item.numpy(), np.float64) for item in (norm.moving_mean, norm.moving_variance))
    factor = (norm.gamma.numpy() if norm.scale else 1.0) / np.sqrt(variance + norm.epsilon)
    offset = (norm.beta.numpy() if norm.center else 0.0) - mean * factor
    return factor.astype(np.float32), offset.astype(np.float32)
