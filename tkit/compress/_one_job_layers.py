"""Layers that do several things as layers that do one, which every step knows.

A separable convolution becomes its two convolutions, each with a kernel to prune, share and round. SiLU (swish) becomes
the product with its gate, a sigmoid, and a hard sigmoid a clipped line: operators that the runtime has in int8.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras
from keras import layers

from tkit.compress._attention import by_head
from tkit.compress._graph import clone, nodes, rebuilt
from tkit.compress._kernels import with_kernels

Call = Callable[..., Any]


def one_job_layers(model: keras.Model) -> keras.Model:
    """A copy of a stock functional `model`, equal up to rounding; `model` itself if there is nothing to lay out.

    Layer `x` with SiLU or a hard sigmoid becomes `x` without it, and `x_gate` and `x_silu`, or `x_line`, `x_clip` and
    `x_share`; an activation layer leaves out `x` itself. A separable convolution becomes `x_depthwise` and `x`, a sum
    of several tensors `x_2`, `x_3` ... and `x`. Attention becomes what `by_head` makes of it.
    """
    return by_head(_laid_out(model))


def _laid_out(model: keras.Model) -> keras.Model:
    able = {layer.name for layer in with_kernels(model)}
    several = {node.operation.name for node in nodes(model) if _does_several(node, able)}
    if not several:
        return model
    made: dict[str, Call] = {}
    old: dict[str, keras.layers.Layer] = {}

    def call(node: Any, arguments: tuple[Any, ...], keywords: dict[str, Any]) -> Any:
        layer = node.operation
        if not isinstance(layer, keras.layers.Layer):
            return layer(*arguments, **keywords)
        if layer.name not in made:
            old[layer.name] = layer
            made[layer.name] = _parts(layer) if layer.name in several else clone(layer)
        return made[layer.name](*arguments, **keywords)

    copy = rebuilt(model, lambda tensor: tensor, call)
    for name, layer in old.items():
        if isinstance(layer, layers.SeparableConv2D):
            depthwise, pointwise, *bias = layer.get_weights()
            weights = {f"{name}_depthwise": [depthwise], name: [pointwise, *bias]}
        else:
            weights = {name: layer.get_weights()} if layer.weights else {}
        for part, values in weights.items():
            copy.get_layer(part).set_weights(values)
            copy.get_layer(part).trainable = layer.trainable
    return copy


def _does_several(node: Any, able: set[str]) -> bool:
    layer = node.operation
    if isinstance(layer, (layers.Activation, layers.SeparableConv2D)) or layer.name in able:
        return isinstance(layer, layers.SeparableConv2D) or _gated(layer) is not None
    return type(layer) is layers.Add and len(node.input_tensors) > 2


def _gated(layer: keras.layers.Layer) -> Call | None:
    """What makes the layers of the activation function that a layer ends with, where it isn't one operator."""
    functions = {keras.activations.silu: _silu, keras.activations.hard_sigmoid: _hard_sigmoid}
    return functions.get(layer.activation)


def _parts(layer: keras.layers.Layer) -> Call:
    """The layers in the place of `layer`, each made once, however often they are called."""
    if isinstance(layer, layers.Add):
        return _sums(layer.name)
    ends = _gated(layer)
    function = ends(layer.name) if ends else lambda tensor: tensor
    if isinstance(layer, layers.Activation):
        return function
    if not isinstance(layer, layers.SeparableConv2D):
        linear = clone(layer, activation="linear")
        return lambda tensor: function(linear(tensor))
    depthwise = layers.DepthwiseConv2D(
        layer.kernel_size,
        layer.strides,
        layer.padding,
        layer.depth_multiplier,
        dilation_rate=layer.dilation_rate,
        use_bias=False,
        name=f"{layer.name}_depthwise",
    )
    activation = "linear" if ends else layer.activation
    pointwise = layers.Conv2D(layer.filters, 1, activation=activation, use_bias=layer.use_bias, name=layer.name)
    return lambda tensor: function(pointwise(depthwise(tensor)))


def _silu(name: str) -> Call:
    gate, product = layers.Activation("sigmoid", name=f"{name}_gate"), layers.Multiply(name=f"{name}_silu")
    return lambda tensor: product([tensor, gate(tensor)])


def _hard_sigmoid(name: str) -> Call:
    line, clip = layers.Rescaling(1.0, 3.0, name=f"{name}_line"), layers.ReLU(6.0, name=f"{name}_clip")
    share = layers.Rescaling(1 / 6, name=f"{name}_share")
    return lambda tensor: share(clip(line(tensor)))


def _sums(name: str) -> Call:
    made: dict[int, keras.layers.Layer] = {}

    def sums(tensors: Any) -> Any:
        total = tensors[0]
        for number, tensor in enumerate(tensors[1:], 2):
            label = name if number == len(tensors) else f"{name}_{number}"
            total = made.setdefault(number, layers.Add(name=label))([total, tensor])
        return total

    return sums
