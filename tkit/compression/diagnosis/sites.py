"""A folded model in which each kernel and each activation can be rounded to int8 alone, without rebuilding it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Literal, NamedTuple

import keras
import numpy as np
import tensorflow as tf

from tkit.arrays import count, fed, named, part
from tkit.graph import clone, cloned, one_or_all
from tkit.keras_internals import nodes
from tkit.kernels.viewed import kernel_of, with_kernels
from tkit.promises import State
from tkit.quantization.fake_quant import FakeQuant
from tkit.quantization.graph import quantized, quantizers
from tkit_edge.tensors import Arrays, TensorSpec

BATCH = 100
Part = Literal["kernel", "activations"]


class Site(NamedTuple):
    """A site that int8 rounds: a layer's kernel or its output activations."""

    layer: str
    part: Part


class Switched(FakeQuant):
    """A `FakeQuant` that is the identity until `on` is 1."""

    def build(self, input_shape: Any) -> None:
        """Creates the variables."""
        super().build(input_shape)
        self.on = self.add_weight(name="on", shape=(), initializer="zeros", trainable=False, autocast=False)

    def call(self, inputs: Any, training: bool | None = None) -> Any:
        """Any float shape in and out."""
        return tf.where(tf.convert_to_tensor(self.on) > 0, super().call(inputs, training), inputs)


class Switches:
    """The model with nothing rounded, and its switches.

    Args:
        folded: stock float32 functional model without foldable batch normalization.
        rounded: the result of `Quantize`, whose kernels and ranges are switched on.
    """

    def __init__(self, folded: keras.Model, rounded: State) -> None:
        settings = rounded.kept.quantized
        assert settings is not None
        self.graph = _switched(quantized(folded, settings))
        self.activations: dict[str, Switched] = quantizers(self.graph)
        self.kernels = {
            layer.name: (kernel_of(layer).numpy(), kernel_of(rounded.model.get_layer(layer.name)).numpy())
            for layer in with_kernels(folded)
            if layer.name in settings.scales
        }
        specs = [tf.TensorSpec((None, *tensor.shape[1:]), tensor.dtype) for tensor in folded.inputs]
        signature = [one_or_all(specs)]
        self._run = tf.function(lambda inputs: self.graph(inputs, training=False), input_signature=signature)

    @property
    def sites(self) -> list[Site]:
        """All kernels and all activations, in the model's order."""
        return [
            *(Site(name, "kernel") for name in self.kernels),
            *(Site(name, "activations") for name in self.activations),
        ]

    def outputs(self, examples: Arrays, specs: Sequence[TensorSpec], on: Iterable[Site] = ()) -> Arrays:
        """The model's outputs for examples with only the sites `on` rounded, by the names of `specs`."""
        on = list(on)
        for site in on:
            self._switch(site, True)
        try:
            found = [named(self._run(batch), specs) for batch in batches(self.graph, examples)]
            return {spec.name: np.concatenate([item[spec.name] for item in found]) for spec in specs}
        finally:
            for site in on:
                self._switch(site, False)

    def set_ranges(self, ranges: Mapping[str, tuple[float, float]]) -> None:
        """Sets the ranges of the named activations."""
        for name, (low, high) in ranges.items():
            self.activations[name].low.assign(low)
            self.activations[name].high.assign(high)

    def range_of(self, name: str) -> tuple[float, float]:
        """The range of an activation."""
        layer = self.activations[name]
        return float(layer.low.numpy()), float(layer.high.numpy())

    def probe(self) -> tuple[list[str], Any]:
        """The activations' names, and a function from a batch to their float values, in the same order.

        A name is repeated where several tensors share its range.
        """
        names = {layer.name: name for name, layer in self.activations.items()}
        found = [
            (names[node.operation.name], node.input_tensors[0])
            for node in nodes(self.graph)
            if node.operation.name in names
        ]
        inner = keras.Model(self.graph.inputs, [tensor for _, tensor in found])
        return [name for name, _ in found], tf.function(
            lambda inputs: keras.tree.flatten(inner(inputs, training=False))
        )

    def _switch(self, site: Site, on: bool) -> None:
        if site.part == "activations":
            self.activations[site.layer].on.assign(float(on))
        else:
            kernel_of(self.graph.get_layer(site.layer)).assign(self.kernels[site.layer][on])


def batches(model: keras.Model, examples: Arrays) -> Iterator[Any]:
    """Up to `BATCH` examples at once, as the model takes them."""
    for start in range(0, count(examples), BATCH):
        yield keras.tree.map_structure(tf.constant, fed(model, part(examples, slice(start, start + BATCH))))


def _switched(graph: keras.Model) -> keras.Model:
    """A copy with a `Switched` for each `FakeQuant`, all off."""

    return cloned(graph, lambda layer: clone(layer, Switched if isinstance(layer, FakeQuant) else None))
