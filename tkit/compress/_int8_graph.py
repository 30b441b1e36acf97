"""Where activations are rounded to int8: after which tensors of a folded model, and which of them share a range.

What the runtime fuses (a convolution and its ReLU) is one tensor; what it can't rescale (pooling, concatenation,
padding, reshaping) has its input's range. Source: LiteRT's 8-bit quantization specification.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import keras
import numpy as np
from keras import layers

from tkit.compress import Quantized
from tkit.compress._fake_quant import FakeQuant, StaysFloat
from tkit.compress._graph import clone, rebuilt
from tkit.compress._int8_rules import Rules, affine_of
from tkit.compress._layer_norm import normalized

SUFFIX = "_int8"


def quantized(model: keras.Model, settings: Quantized) -> keras.Model:
    """The fake-quantized graph of a folded model whose kernels are codes times scales already: what the device says.

    Args:
        model: float32 pixels [batch, height, width, channels] to [batch, classes], as `Quantize` gives it.
        settings: what `Quantize` kept of it.

    Raises:
        InputError: a layer that int8 has no rule for, named.
    """
    return int8_graph(model, settings.ranges, settings.float_layers)


def int8_graph(
    model: keras.Model,
    ranges: Mapping[str, tuple[float, float]] | None,
    float_layers: Sequence[str] = (),
    *,
    moving: bool = False,
) -> keras.Model:
    """A copy of a folded model with a `FakeQuant` after each tensor that is int8 on the device.

    Args:
        model: stock float32 functional model without foldable batch normalization.
        ranges: of the tensors, by name; None: nothing is rounded yet, and all are observed.
        float_layers: layers that compute in float; what they take and give is int8.
        moving: training moves the ranges. Those that several tensors share stay.

    Raises:
        InputError: a layer that int8 has no rule for, named.
    """
    rules = Rules(model, float_layers)
    made: dict[str, keras.layers.Layer] = {}
    made_quantizers: dict[str, FakeQuant] = {}
    uses = rules.uses()
    seen: Counter[str] = Counter()

    def rounded(tensor: Any, site: str) -> Any:
        root = rules.root(site)
        if root not in made_quantizers:
            made_quantizers[root] = _quantizer(root, rules.fixed.get(root), ranges, moving and uses[root] == 1)
        return made_quantizers[root](tensor)

    def call(node: Any, arguments: tuple[Any, ...], keywords: dict[str, Any]) -> Any:
        layer = node.operation
        rule = rules.of[id(node)]
        number = seen[layer.name]
        seen[layer.name] += 1
        if rule.kind == "affine":
            return _affine(layer, arguments[0], rule, rounded, number)
        if rule.kind == "norm":
            return normalized(arguments[0], layer.epsilon, rule.sites, rounded)
        split = rule.kind == "split"
        if layer.name not in made:
            made[layer.name] = clone(layer, **({"activation": "linear"} if split else {}))
        output = made[layer.name](*arguments, **keywords)
        if layer.name in float_layers:
            output = StaysFloat(name=_numbered(f"{layer.name}_float", number))(output)
        if split:
            output = rounded(output, rule.sites[0])
            output = layers.Activation(layer.activation, name=_numbered(f"{layer.name}_function", number))(output)
        return rounded(output, rule.sites[-1]) if rule.rounds else output

    graph = rebuilt(model, lambda tensor: rounded(tensor, rules.start), call)
    for name, layer in made.items():
        old = model.get_layer(name)
        layer.set_weights(old.get_weights())
        layer.trainable = old.trainable
    return graph


def quantizers(graph: keras.Model) -> dict[str, FakeQuant]:
    """The graph's `FakeQuant` layers, by the name of the tensor."""
    return {layer.name.removesuffix(SUFFIX): layer for layer in graph.layers if isinstance(layer, FakeQuant)}


def _quantizer(
    name: str, fixed: tuple[float, float] | None, ranges: Mapping[str, tuple[float, float]] | None, moving: bool
) -> FakeQuant:
    if fixed is not None:
        return FakeQuant(fixed, "fixed", name=name + SUFFIX)
    if ranges is None:
        return FakeQuant(mode="observed", name=name + SUFFIX)
    return FakeQuant(ranges[name], "moving" if moving else "fixed", name=name + SUFFIX)


def _affine(layer: keras.layers.Layer, tensor: Any, rule: Any, rounded: Any, number: int) -> Any:
    """A scaling as a multiplication and an addition, or a depthwise convolution where each channel has its own."""
    factor, offset = affine_of(layer)  # type: ignore[misc]  # the rule is theirs only
    name = _numbered(layer.name, number)
    if np.size(factor) == 1:
        *scaled, last = rule.sites
        for site in scaled:
            tensor = rounded(layers.Rescaling(float(factor), name=f"{name}_scaled")(tensor), site)
        rest = layers.Rescaling(1.0 if scaled else float(factor), float(offset), name=f"{name}_shifted")(tensor)
        return rounded(rest, last) if rule.rounds else rest
    scaling = layers.DepthwiseConv2D(1, name=name, trainable=False)
    scaled = scaling(tensor)
    scaling.set_weights([np.reshape(factor, (1, 1, -1, 1)), offset])
    return rounded(scaled, rule.sites[-1]) if rule.rounds else scaled


def _numbered(name: str, number: int) -> str:
    return f"{name}_{number}" if number else name
