"""Where activations are rounded to int8: after which tensors of a folded model, and which of them share a range.

Layers that the runtime fuses (a convolution and its ReLU) give one tensor; those that can't rescale (pooling,
concatenation, padding, reshaping) have their input's range. Source: LiteRT's 8-bit quantization specification.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import keras

from tkit.graph import Part, clone, copied, fresh, loaded, rebuilt
from tkit.promises import Quantized
from tkit.quantization.fake_quant import FakeQuant, StaysFloat
from tkit.quantization.functions import JUST_ABOVE_1, Operator, Tensors
from tkit.quantization.rules import NO_SCALES, PIXELS, Rules, is_real
from tkit_edge.errors import InputError


def quantized(model: keras.Model, settings: Quantized) -> keras.Model:
    """The fake-quantized graph of a folded model whose kernels are already codes times scales: it outputs what the
    device outputs.

    Args:
        model: float32 functional model, as `Quantize` returns it.
        settings: the settings that `Quantize` kept.

    Raises:
        InputError: an unknown name among the float layers.
    """
    return int8_graph(
        model, settings.ranges, settings.float_layers, input_range=settings.input_range, scales=settings.scales
    )


def int8_graph(
    model: keras.Model,
    ranges: Mapping[str, tuple[float, float]] | None,
    float_layers: Sequence[str] = (),
    *,
    moving: bool = False,
    input_range: tuple[float, float] | None = PIXELS,
    scales: Mapping[str, Any] = NO_SCALES,
) -> keras.Model:
    """A copy of a folded model with a `FakeQuant` after each tensor that is int8 on the device.

    Args:
        model: stock float32 functional model without foldable batch normalization.
        ranges: the tensors' ranges, by name; None: nothing is rounded yet, and all are observed.
        float_layers: layers that compute in float; their inputs and outputs are int8.
        moving: training moves the ranges, except those that several tensors share and those with 0 in the middle.
        input_range: of the inputs, where it is known beforehand.
        scales: of the codes of embeddings, by layer.

    Raises:
        InputError: an unknown name among `float_layers`, or a tensor without a range.
    """
    rules = Rules(model, float_layers, input_range, scales)
    layout, starts = _Layout(rules, ranges, moving), iter(rules.starts)

    def start(tensor: Any) -> Any:
        site = next(starts)
        return layout.rounded(tensor, site) if is_real(tensor) else tensor

    return rebuilt(model, start, layout.call)


class _Layout:
    """Calls the nodes of a folded model again, by their rules."""

    def __init__(self, rules: Rules, ranges: Mapping[str, tuple[float, float]] | None, moving: bool) -> None:
        self.rules, self.ranges, self.moving = rules, ranges, moving
        self.uses, self.taken = rules.uses(), set(rules.names)
        self.layers: dict[str, Part] = {}
        self.quantizers: dict[str, FakeQuant] = {}

    def named(self, name: str) -> str:
        """A name that no layer has."""
        return fresh(name, self.taken)

    def rounded(self, tensor: Any, site: str) -> Any:
        """The tensor in int8, by the quantizer of its site's root."""
        root = self.rules.root(site)
        if root not in self.quantizers:
            moving = self.moving and self.uses[root] == 1 and root not in self.rules.symmetric
            settings = _settings(root, self.rules.fixed.get(root), self.ranges, moving)
            self.quantizers[root] = FakeQuant(**settings, site=root, name=self.named(f"{root}_int8"))
        return self.quantizers[root](tensor)

    def again(self, tensor: Any, site: str | None) -> Any:
        """A tensor rounded once more, to another site's range."""
        if site is None:
            return tensor
        return self.rounded(Operator("multiply", JUST_ABOVE_1, name=self.named(f"{site}_again"))(tensor), site)

    def call(self, node: Any, arguments: tuple[Any, ...], keywords: dict[str, Any]) -> Any:
        """A node's outputs as the device has them, from inputs as the device has them."""
        layer, rule = node.operation, self.rules.of[id(node)]
        if any(rule.before):
            arguments, keywords = _each(self.again, rule.before, (arguments, keywords))
        if rule.shielded:
            in_float = [f"{layer.name}_input_float"] * len(node.input_tensors)
            arguments, keywords = _each(lambda x, name: _in_float(x, self.named(name)), in_float, (arguments, keywords))
        outputs = arguments[0] if arguments else keras.tree.flatten(keywords)[0]
        if rule.layer:
            if layer.name not in self.layers:
                self.layers[layer.name] = _copied(layer, {"activation": "linear"} if rule.linear else {})
            outputs = self.layers[layer.name](*arguments, **keywords)
        sites = rule.sites
        if rule.linear:
            outputs, sites = self.rounded(outputs, sites[0]), sites[1:]
        if rule.function:
            last = self.named(sites[-1] + rule.function.suffix) if rule.function.suffix else sites[-1]
            tensors = Tensors(sites, self.rounded, self.named, last, rule.function.complete)
            outputs = rule.function.make(outputs, tensors)
        if rule.float:
            outputs = keras.tree.map_structure(lambda x: _in_float(x, self.named(f"{layer.name}_float")), outputs)
        if not rule.rounds or (rule.function and rule.function.complete):
            return outputs
        given = sites if rule.float and not rule.linear else [sites[-1]] * len(node.outputs)
        return _each(lambda x, site: self.rounded(x, site) if site and is_real(x) else x, given, outputs)


def quantizers(graph: keras.Model) -> dict[str, FakeQuant]:
    """The graph's `FakeQuant` layers, by the name of the tensor."""
    return {layer.site: layer for layer in graph.layers if isinstance(layer, FakeQuant)}


def _settings(
    name: str, fixed: tuple[float, float] | None, ranges: Mapping[str, tuple[float, float]] | None, moving: bool
) -> dict[str, Any]:
    if fixed is not None:
        return {"range_": fixed, "mode": "fixed"}
    if ranges is None:
        return {"mode": "observed"}
    if name not in ranges:
        raise InputError(f"compress.json has no range for {name!r}: quantize the model again with this tkit.")
    return {"range_": ranges[name], "mode": "moving" if moving else "fixed"}


def _copied(layer: Any, changes: dict[str, Any]) -> Part:
    return loaded(clone(layer, **changes), layer.get_weights(), layer.trainable) if changes else copied(layer)


def _in_float(tensor: Any, name: str) -> Any:
    return StaysFloat(name=name)(tensor) if is_real(tensor) else tensor


def _each(change: Callable[[Any, Any], Any], items: Sequence[Any], structure: Any) -> Any:
    """`structure` with `change` applied to each of its tensors and the item of the same index."""
    left = iter(items)
    return keras.tree.map_structure(
        lambda value: change(value, next(left)) if isinstance(value, keras.KerasTensor) else value, structure
    )
