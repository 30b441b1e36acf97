"""One traversal of a functional model's graph that finds which channels must be pruned together.

Every element of a tensor's last axis has a number; operations that tie two elements (an addition, a depthwise
convolution, a layer called twice) merge their numbers. Concatenate and Flatten only rearrange numbers, which gives
offsets and the rows of a Dense layer after a Flatten without further rules.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import keras
import numpy as np

from tkit.compression.channels.axes import CONVOLUTIONS, DEPTHWISE, PRODUCERS, SEPARABLE, Side
from tkit.keras_internals import nodes

_PASSING = (
    *(keras.layers.MaxPooling1D, keras.layers.MaxPooling2D, keras.layers.MaxPooling3D),
    *(keras.layers.AveragePooling1D, keras.layers.AveragePooling2D, keras.layers.AveragePooling3D),
    *(keras.layers.GlobalAveragePooling1D, keras.layers.GlobalAveragePooling2D, keras.layers.GlobalAveragePooling3D),
    *(keras.layers.GlobalMaxPooling1D, keras.layers.GlobalMaxPooling2D, keras.layers.GlobalMaxPooling3D),
    *(keras.layers.ZeroPadding1D, keras.layers.ZeroPadding2D, keras.layers.ZeroPadding3D),
    *(keras.layers.Cropping1D, keras.layers.Cropping2D, keras.layers.Cropping3D),
    *(keras.layers.UpSampling1D, keras.layers.UpSampling2D, keras.layers.UpSampling3D),
    *(keras.layers.SpatialDropout1D, keras.layers.SpatialDropout2D, keras.layers.SpatialDropout3D),
    *(keras.layers.Dropout, keras.layers.GaussianDropout, keras.layers.GaussianNoise),
    *(keras.layers.ActivityRegularization, keras.layers.Identity),
)
_RECTIFIERS = (keras.layers.ReLU, keras.layers.LeakyReLU, keras.layers.ELU)
_MERGES = (
    *(keras.layers.Add, keras.layers.Subtract, keras.layers.Multiply),
    *(keras.layers.Average, keras.layers.Maximum, keras.layers.Minimum),
)
# Keras's elementwise activations.
_ELEMENTWISE = (
    *("linear", "relu", "relu6", "leaky_relu", "elu", "selu", "celu", "gelu", "silu", "hard_silu", "mish"),
    *("tanh", "hard_tanh", "softsign", "tanh_shrink", "soft_shrink", "hard_shrink"),
    *("sigmoid", "hard_sigmoid", "log_sigmoid", "sparse_sigmoid", "softplus", "sparse_plus", "squareplus"),
    "exponential",
)


class Channels(NamedTuple):
    """The elements of a tensor's last axis."""

    ids: np.ndarray
    """int [size]: each element's number."""
    zero: np.ndarray
    """bool [size]: whether the element is 0 everywhere once its channel's weights are 0."""


class Ties:
    """Numbers, some of them merged: a union-find over arrays."""

    def __init__(self, parents: np.ndarray | None = None) -> None:
        self._parents = np.empty(0, np.int64) if parents is None else parents.copy()

    def __len__(self) -> int:
        return len(self._parents)

    def fresh(self, count: int) -> np.ndarray:
        """`count` new numbers."""
        made = np.arange(len(self), len(self) + count)
        self._parents = np.concatenate([self._parents, made])
        return made

    def roots(self, ids: np.ndarray) -> np.ndarray:
        """For each number the representative of all that it is tied to."""
        while True:
            above = self._parents[ids]
            if np.array_equal(above, ids):
                return ids
            ids = above

    def tie(self, first: np.ndarray, second: np.ndarray) -> None:
        """Merges the numbers of two arrays, element by element."""
        for pair in zip(first.tolist(), second.tolist(), strict=True):
            low, high = sorted(self.roots(np.array(pair)).tolist())
            self._parents[high] = low

    def copy(self) -> Ties:
        """A copy, to which further ties can be added."""
        return Ties(self._parents)


class Trace:
    """The result of the traversal.

    Attributes:
        ties: the numbers of all elements and their ties.
        taken: for each layer with weights, the numbers of its input channels.
        given: for each layer that creates or rearranges channels, the numbers of its output channels.
        producers: the layers that create channels, in the graph's order.
        fixed: number -> why its channel can't be removed.
    """

    def __init__(self, model: keras.Model) -> None:
        self.ties = Ties()
        self.taken: dict[str, np.ndarray] = {}
        self.given: dict[str, np.ndarray] = {}
        self.producers: list[str] = []
        self.fixed: dict[int, str] = {}
        tensors: dict[int, Channels] = {}
        for tensor in model.inputs:
            tensors[id(tensor)] = self._fixed(tensor, "they are the model's inputs")
        for node in nodes(model):
            sources = [tensors[id(tensor)] for tensor in node.input_tensors]
            passed = self._through(node, sources)
            for tensor in node.outputs:
                tensors[id(tensor)] = passed or self._unknown(node.operation, sources, tensor)
        for tensor in model.outputs:
            self._fix(tensors[id(tensor)].ids, "they are the model's outputs")

    def sides(self, layer: keras.layers.Layer) -> dict[Side, np.ndarray]:
        """The numbers on each of a layer's sides."""
        found: dict[Side, np.ndarray] = {}
        if layer.name in self.taken:
            taken = self.ties.roots(self.taken[layer.name])
            found = {"taken": taken, "through": taken}
            if type(layer) in SEPARABLE:
                found["between"] = np.repeat(taken, layer.depth_multiplier)
        if layer.name in self.given:
            found["given"] = self.ties.roots(self.given[layer.name])
        return found

    def _through(self, node: Any, sources: list[Channels]) -> Channels | None:
        """The outputs of a layer's call for its inputs; None if unknown."""
        layer = node.operation
        kind = type(layer)
        if not isinstance(layer, keras.layers.Layer) or layer.get_config().get("data_format") == "channels_first":
            return None
        if kind in PRODUCERS:
            return self._produced(layer, *sources)
        if kind in DEPTHWISE:
            return self._depthwise(layer, *sources)
        if kind is keras.layers.BatchNormalization:
            return self._normalized(layer, *sources)
        if kind is keras.layers.PReLU:
            return self._prelu(layer, *sources)
        if kind in _PASSING:
            return sources[0]
        if kind in _RECTIFIERS or (kind is keras.layers.Activation and _elementwise(layer.activation)):
            return _activated(layer, *sources)
        if kind is keras.layers.Rescaling:
            if np.size(layer.scale) > 1 or np.size(layer.offset) > 1:
                return None
            return sources[0]._replace(zero=sources[0].zero & bool(np.all(np.asarray(layer.offset) == 0)))
        if kind in _MERGES:
            return self._merged(sources, node, product=kind is keras.layers.Multiply)
        if kind is keras.layers.Concatenate:
            if layer.axis in (-1, len(node.outputs[0].shape) - 1):
                return Channels(*(np.concatenate(parts) for parts in zip(*sources, strict=True)))
            return self._merged(sources, node, product=False)
        if kind in (keras.layers.Flatten, keras.layers.Reshape):
            return self._rearranged(layer, sources[0], node)
        return None

    def _produced(self, layer: Any, source: Channels) -> Channels | None:
        if type(layer) in CONVOLUTIONS and layer.groups != 1:
            return None
        self._take(layer, source)
        self._need_zeros(layer, source)
        if layer.name not in self.given:
            self.given[layer.name] = self.ties.fresh(
                layer.units if isinstance(layer, keras.layers.Dense) else layer.filters
            )
            self.producers.append(layer.name)
        given = self.given[layer.name]
        if not _elementwise(layer.activation):
            self._fix(given, f"the activation of {layer.name!r} depends on all of them")
            return Channels(given, np.zeros(len(given), bool))
        return _own(layer, given)

    def _depthwise(self, layer: Any, source: Channels) -> Channels | None:
        if not _elementwise(layer.activation):
            return None
        self._take(layer, source)
        self.given[layer.name] = np.repeat(source.ids, layer.depth_multiplier)
        return _own(layer, self.given[layer.name])

    def _normalized(self, layer: Any, source: Channels) -> Channels | None:
        if layer.axis not in (-1, layer.input_spec.ndim - 1):
            return None
        self._take(layer, source)
        return source._replace(zero=source.zero | layer.scale)

    def _prelu(self, layer: Any, source: Channels) -> Channels | None:
        if layer.alpha.shape[-1] != len(source.ids):
            return None
        self._take(layer, source)
        return source

    def _merged(self, sources: Sequence[Channels], node: Any, *, product: bool) -> Channels | None:
        if len({(len(tensor.shape), tensor.shape[-1]) for tensor in node.input_tensors}) > 1:
            return None  # broadcast over the channels
        for other in sources[1:]:
            self.ties.tie(sources[0].ids, other.ids)
        every = np.logical_or if product else np.logical_and
        return Channels(sources[0].ids, every.reduce([source.zero for source in sources]))

    def _rearranged(self, layer: Any, source: Channels, node: Any) -> Channels | None:
        """Flatten or Reshape, where each of the new last axis's elements is always the same channel."""
        before, after = node.input_tensors[0].shape, node.outputs[0].shape
        if None in before[1:] or None in after[1:]:
            return None
        rows, width = math.prod(before[1:-1]), after[-1]
        every = Channels(np.tile(source.ids, rows), np.tile(source.zero, rows))
        if width % len(source.ids) and len(source.ids) % width:
            return None
        ids, zero = every.ids.reshape(-1, width), every.zero.reshape(-1, width)
        for row in ids[1:] if len(source.ids) > width else ():
            self.ties.tie(ids[0], row)
        if layer.name in self.given:
            self.ties.tie(self.given[layer.name], ids[0])
        self.given[layer.name] = ids[0]
        return Channels(ids[0], np.logical_and.reduce(zero))

    def _unknown(self, layer: Any, sources: list[Channels], output: Any) -> Channels:
        reason = (
            f"they are inputs of {layer.name!r} ({type(layer).__name__}), whose channels can't be removed individually"
        )
        for source in sources:
            self._fix(source.ids, reason)
        return self._fixed(output, reason)

    def _take(self, layer: Any, source: Channels) -> None:
        if layer.name in self.taken:
            self.ties.tie(self.taken[layer.name], source.ids)
        self.taken[layer.name] = source.ids

    def _need_zeros(self, layer: Any, source: Channels) -> None:
        self._fix(
            source.ids[~source.zero],
            f"{layer.name!r} takes them after an activation or offset that doesn't map 0 to 0",
        )

    def _fixed(self, tensor: Any, reason: str) -> Channels:
        """A tensor's channels, none of which can be removed."""
        ids = self.ties.fresh((tensor.shape[-1] or 0) if tensor.shape else 0)
        self._fix(ids, reason)
        return Channels(ids, np.zeros(len(ids), bool))

    def _fix(self, ids: np.ndarray, reason: str) -> None:
        for number in ids.tolist():
            self.fixed.setdefault(number, reason)


def _own(layer: Any, ids: np.ndarray) -> Channels:
    """The outputs of a layer whose removed channels have kernel and bias 0."""
    value = float(np.asarray(layer.activation(np.zeros((1, 1), np.float32))).item())
    return Channels(ids, np.full(len(ids), value == 0.0))


def _activated(layer: Any, source: Channels) -> Channels:
    value = float(np.asarray(layer(np.zeros((1, 1), np.float32))).item())
    return source._replace(zero=source.zero & (value == 0.0))


def _elementwise(activation: Any) -> bool:
    name = getattr(activation, "__name__", None)
    return name in _ELEMENTWISE and activation is getattr(keras.activations, name)
