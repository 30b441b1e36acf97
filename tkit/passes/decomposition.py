"""Decomposes composite layers into primitive ones that every step supports.

A separable convolution becomes its two convolutions, each with a kernel that can be pruned, shared and rounded. SiLU
(swish) becomes the product with its gate, a sigmoid, and a hard sigmoid a clipped line: operators that the runtime has
in int8.
"""

from __future__ import annotations

from typing import Any

import keras
from keras import layers

from tkit.graph import Part, chained, clone, fresh, loaded, names, rewritten
from tkit.kernels.viewed import with_kernels
from tkit.passes.attention import by_head
from tkit.passes.plain_layers import plain_layers


def decomposed(model: keras.Model) -> keras.Model:
    """A copy of a stock functional `model`, equal up to rounding; `model` itself if there is nothing to decompose.

    Layer `x` with SiLU or a hard sigmoid becomes `x` without it, and `x_gate` and `x_silu`, or `x_line`, `x_clip` and
    `x_share`; for an activation layer, `x` itself is left out. A separable convolution becomes `x_depthwise` and `x`,
    a sum or product of several tensors `x_2`, `x_3` ... and `x`, an average `x_sum` and `x`. Special layers are
    replaced by `plain_layers`, attention by `by_head`. Where the model already has a layer of such a name, the new one
    gets a number.
    """
    return by_head(_without_composites(plain_layers(model)))


def _without_composites(model: keras.Model) -> keras.Model:
    used = names(model)
    able = {layer.name for layer in with_kernels(model)}

    def replace(node: Any) -> Part | None:
        layer = node.operation
        if isinstance(layer, layers.Average):
            return _average(layer, used, len(node.input_tensors))
        if type(layer) in (layers.Add, layers.Multiply) and len(node.input_tensors) > 2:
            return _pairs(type(layer), layer.name, used)
        if isinstance(layer, layers.SeparableConv2D):
            return _separated(layer, used)
        end = _gated(layer, used) if isinstance(layer, layers.Activation) or layer.name in able else None
        if end is None or isinstance(layer, layers.Activation):
            return end
        return chained(loaded(clone(layer, activation="linear"), layer.get_weights(), layer.trainable), end)

    return rewritten(model, replace)


def _gated(layer: keras.layers.Layer, used: set[str]) -> Part | None:
    """The layers for a layer's activation function, where it isn't a single operator."""
    makers = {keras.activations.silu: _silu, keras.activations.hard_sigmoid: _hard_sigmoid}
    make = makers.get(getattr(layer, "activation", None))
    return make(layer.name, used) if make else None


def _separated(layer: Any, used: set[str]) -> Part:
    depthwise = layers.DepthwiseConv2D(
        layer.kernel_size,
        layer.strides,
        layer.padding,
        layer.depth_multiplier,
        dilation_rate=layer.dilation_rate,
        use_bias=False,
        name=fresh(f"{layer.name}_depthwise", used),
    )
    end = _gated(layer, used)
    activation = "linear" if end else layer.activation
    pointwise = layers.Conv2D(layer.filters, 1, activation=activation, use_bias=layer.use_bias, name=layer.name)
    first, *others = layer.get_weights()
    parts = [loaded(depthwise, [first], layer.trainable), loaded(pointwise, others, layer.trainable)]
    return chained(*parts, *([end] if end else []))


def _silu(name: str, used: set[str]) -> Part:
    gate = layers.Activation("sigmoid", name=fresh(f"{name}_gate", used))
    product = layers.Multiply(name=fresh(f"{name}_silu", used))
    return lambda tensor: product([tensor, gate(tensor)])


def _hard_sigmoid(name: str, used: set[str]) -> Part:
    return chained(
        layers.Rescaling(1.0, 3.0, name=fresh(f"{name}_line", used)),
        layers.ReLU(6.0, name=fresh(f"{name}_clip", used)),
        layers.Rescaling(1 / 6, name=fresh(f"{name}_share", used)),
    )


def _average(layer: Any, used: set[str], count: int) -> Part:
    share = layers.Rescaling(1 / count, name=layer.name)
    return chained(_pairs(layers.Add, fresh(f"{layer.name}_sum", used), used), share)


def _pairs(kind: type[keras.layers.Layer], name: str, used: set[str]) -> Part:
    """Binary sums or products, chained; the last one has the name."""
    made: dict[int, keras.layers.Layer] = {}

    def call(tensors: Any) -> Any:
        total = tensors[0]
        for number, tensor in enumerate(tensors[1:-1], 2):
            if number not in made:
                made[number] = kind(name=fresh(f"{name}_{number}", used))
            total = made[number]([total, tensor])
        return last([total, tensors[-1]])

    last = kind(name=name)
    return call
