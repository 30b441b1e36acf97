"""Replaces wrapped, one-dimensional and other special layers by general ones that every step supports.

A convolution of a sequence becomes one of an image with a single row; a wrapper that does nothing at inference is
removed.
"""

from __future__ import annotations

from typing import Any

import keras
from keras import layers

from tkit.graph import Part, chained, clone, fresh, loaded, names, rewritten
from tkit.passes.operations import as_layer

_ALONE = (layers.Dense, layers.Activation, layers.ReLU, layers.Dropout)
"""Layers that do the same to each step of a sequence as to the whole."""


def plain_layers(model: keras.Model) -> keras.Model:
    """A copy of a functional `model`, equal up to rounding; `model` itself if there is nothing to replace.

    The replacement of layer `x` has its name; around a convolution of a sequence come `x_row` and `x_back`, around
    a softmax over another axis `x_turned` and `x_back`.
    """
    used = names(model)

    def general(node: Any) -> Part | None:
        return as_layer(node) or _unwrapped(node.operation) or _last_softmax(node, used)

    def two_dimensional(node: Any) -> Part | None:
        return _as_row(node, used)

    return rewritten(rewritten(model, general), two_dimensional)


def _unwrapped(layer: Any) -> Part | None:
    if isinstance(layer, layers.SpectralNormalization):  # its kernel is the normalized one since training
        return loaded(clone(layer.layer, name=layer.name), layer.layer.get_weights(), layer.trainable)
    if isinstance(layer, layers.TimeDistributed) and type(layer.layer) in _ALONE:
        return loaded(clone(layer.layer, name=layer.name), layer.get_weights(), layer.trainable)
    if isinstance(layer, layers.EinsumDense):
        return _dense(layer)
    return None


def _dense(layer: Any) -> Part | None:
    """An Einstein sum over the last axis, such as "abc,cd->abd"."""
    taken, kernel, given = layer.equation.replace("...", "").replace("->", ",").split(",")
    last = len(kernel) == 2 and taken[-1:] == kernel[0] and given == taken[:-1] + kernel[1]
    if not last or layer.bias_axes not in (None, kernel[1]):
        return None
    made = layers.Dense(layer.kernel.shape[-1], layer.activation, use_bias=layer.bias_axes is not None, name=layer.name)
    return loaded(made, layer.get_weights(), layer.trainable)


def _last_softmax(node: Any, used: set[str]) -> Part | None:
    layer = node.operation
    if not isinstance(layer, layers.Softmax) or not isinstance(layer.axis, int) or len(node.input_tensors) > 1:
        return None
    rank = len(node.input_tensors[0].shape)
    axis = layer.axis % rank
    if axis in (0, rank - 1):
        return None
    order = list(range(1, rank))
    order[axis - 1], order[-1] = order[-1], order[axis - 1]
    return chained(
        layers.Permute(order, name=fresh(f"{layer.name}_turned", used)),
        layers.Softmax(name=layer.name),
        layers.Permute(order, name=fresh(f"{layer.name}_back", used)),
    )


def _as_row(node: Any, used: set[str]) -> Part | None:
    layer = node.operation
    make = _ROWS.get(type(layer))
    if make is None or layer.data_format != "channels_last":
        return None
    size, given = tuple(node.input_tensors[0].shape[1:]), tuple(node.outputs[0].shape[1:])
    if None in size:
        return None
    parts: list[Part] = [layers.Reshape((1, *size), name=fresh(f"{layer.name}_row", used))]
    padding = layer.padding
    if padding == "causal":
        before = layer.dilation_rate[0] * (layer.kernel_size[0] - 1)
        parts.append(layers.ZeroPadding2D(((0, 0), (before, 0)), name=fresh(f"{layer.name}_causal", used)))
        padding = "valid"
    weights = [value[None] if value.ndim > 1 else value for value in layer.get_weights()]
    parts.append(loaded(make(layer, padding), weights, layer.trainable))
    parts.append(layers.Reshape(given, name=fresh(f"{layer.name}_back", used)))
    return chained(*parts)


def _common(layer: Any, padding: str) -> dict[str, Any]:
    return {
        "kernel_size": (1, *layer.kernel_size),
        "padding": padding,
        "dilation_rate": (1, *layer.dilation_rate),
        "activation": layer.activation,
        "use_bias": layer.use_bias,
        "name": layer.name,
    }


def _convolution(layer: Any, padding: str) -> keras.layers.Layer:
    settings = _common(layer, padding)
    return layers.Conv2D(layer.filters, strides=(1, *layer.strides), groups=layer.groups, **settings)


def _transposed(layer: Any, padding: str) -> keras.layers.Layer:
    between = None if layer.output_padding is None else (0, *layer.output_padding)
    settings = _common(layer, padding)
    return layers.Conv2DTranspose(layer.filters, strides=(1, *layer.strides), output_padding=between, **settings)


def _depthwise(layer: Any, padding: str) -> keras.layers.Layer:
    # TensorFlow wants both strides alike; a row is one pixel high.
    settings = _common(layer, padding)
    return layers.DepthwiseConv2D(strides=layer.strides * 2, depth_multiplier=layer.depth_multiplier, **settings)


def _separable(layer: Any, padding: str) -> keras.layers.Layer:
    settings = _common(layer, padding)
    return layers.SeparableConv2D(
        layer.filters, strides=layer.strides * 2, depth_multiplier=layer.depth_multiplier, **settings
    )


_ROWS = {
    layers.Conv1D: _convolution,
    layers.Conv1DTranspose: _transposed,
    layers.DepthwiseConv1D: _depthwise,
    layers.SeparableConv1D: _separable,
}
