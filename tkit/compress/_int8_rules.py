"""The rule that each call of a layer follows in int8, and the range that each tensor has."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any, Literal, NamedTuple

import keras
import numpy as np
from keras import layers

from tkit.compress._fake_quant import CODES
from tkit.compress._fold import affine
from tkit.compress._graph import nodes, users
from tkit.compress._kernels import with_kernels
from tkit.compress._layer_norm import PARTS
from tkit_edge.errors import InputError
from tkit_pipelines.config import did_you_mean

PIXELS = (0.0, 255.0)
_FUSED = ("linear", "relu", "relu6")
# Their int8 range is prescribed by the runtime.
_BOUNDED = {"softmax": (0.0, CODES / 256), "sigmoid": (0.0, CODES / 256), "tanh": (-1.0, 127 / 128)}
_FREE = ("leaky_relu", "gelu", "hard_silu")
_MERGES = (layers.Add, layers.Subtract, layers.Multiply)
_SAME = (
    layers.MaxPooling2D,
    layers.GlobalMaxPooling2D,
    layers.Flatten,
    layers.Reshape,
    layers.Permute,
    layers.ZeroPadding2D,
    layers.Cropping2D,
    layers.Identity,
)
_NOISE = (
    layers.Dropout,
    layers.SpatialDropout2D,
    layers.AlphaDropout,
    layers.GaussianNoise,
    layers.GaussianDropout,
)
_ROUNDED = (layers.AveragePooling2D,)


class Rule(NamedTuple):
    """What becomes of one call: `split` is a layer and its activation, each rounded; `affine` scales and shifts;
    `norm` is layer normalization in its parts."""

    kind: Literal["plain", "split", "affine", "norm"]
    sites: tuple[str, ...]
    """Names of the tensors that it makes."""
    rounds: bool
    """Whether the last one is rounded here: not where a ReLU that the runtime fuses follows, or nothing is computed."""


class Rules:
    """The rules of a folded model's calls.

    Raises:
        InputError: a layer without a rule, an unknown name among `float_layers`, or tensors that can't share a range.
    """

    def __init__(self, model: keras.Model, float_layers: Sequence[str]) -> None:
        names = [layer.name for layer in model.layers]
        for name in float_layers:
            if name not in names:
                raise InputError(f"float_layers names {name!r}, which the model lacks.{did_you_mean(name, names)}")
        if len(model.inputs) != 1:
            raise InputError(f"int8 takes a model with one input of pixels, received {len(model.inputs)}.")
        self._float, self._users = set(float_layers), users(model)
        self._kernels = {layer.name for layer in with_kernels(model)}
        self._roots: dict[str, str] = {}
        self._uses: list[str] = []
        self.fixed: dict[str, tuple[float, float]] = {}
        """Ranges that are what they are, by site."""
        self.of: dict[int, Rule] = {}
        """By the id of a node."""
        self.start = model.inputs[0]._keras_history.operation.name
        self._sites = {id(model.inputs[0]): self._site(self.start, PIXELS)}
        self._seen: Counter[str] = Counter()
        ruleless = []
        for node in nodes(model):
            number = self._seen[node.operation.name]
            self._seen[node.operation.name] += 1
            name = f"{node.operation.name}_{number}" if number else node.operation.name
            rule = self._rule(node, name)
            if rule is None:
                ruleless.append(f"{node.operation.name!r} ({type(node.operation).__name__})")
                rule = Rule("plain", (name,), True)
            self.of[id(node)] = rule
            self._uses += rule.sites[: None if rule.rounds else -1]
            for tensor in node.outputs:
                self._sites[id(tensor)] = rule.sites[-1]
        if ruleless:
            raise InputError(
                f"int8 has no rule for {', '.join(dict.fromkeys(ruleless))}. Name it in float_layers to compute it in "
                "float, or replace it by stock layers that have one."
            )

    def root(self, site: str) -> str:
        """The site whose range a site has."""
        while site in self._roots:
            site = self._roots[site]
        return site

    def uses(self) -> Counter[str]:
        """How many tensors are rounded to each root's range."""
        return Counter(self.root(site) for site in self._uses)

    def _site(self, name: str, fixed: tuple[float, float] | None = None) -> str:
        if fixed is not None:
            self.fixed[name] = fixed
        return name

    def _rule(self, node: Any, name: str) -> Rule | None:
        layer = node.operation
        before = [self._sites[id(tensor)] for tensor in node.input_tensors]
        if layer.name in self._float:
            return Rule("plain", (name,), not self._all_float(node))
        if isinstance(layer, _SAME) or _only_trains(layer):
            return Rule("plain", (before[0],), False)
        if isinstance(layer, _ROUNDED):
            return Rule("plain", (before[0],), True)
        if isinstance(layer, layers.Concatenate):
            return Rule("plain", (self._joined(before, layer.name),), False)
        if isinstance(layer, layers.LayerNormalization):
            bare = not (layer.scale or layer.center or layer.rms_scaling) and _is_last(layer)
            return Rule("norm", (*(f"{name}_{part}" for part in PARTS), name), True) if bare else None
        if isinstance(layer, (layers.GlobalAveragePooling1D, layers.GlobalAveragePooling2D, layers.Dot)):
            return Rule("plain", (name,), True)
        if affine_of(layer) is not None:
            return self._affine(layer, node, before[0], name)
        if layer.name in self._kernels or (isinstance(layer, _MERGES) and len(before) == 2):
            return self._linear(layer, node, name)
        function = None if layer.weights else function_of(layer)
        if function in _FUSED:
            return Rule("plain", (name,), True)
        if function in _BOUNDED or function in _FREE:
            return Rule("plain", (self._site(name, _BOUNDED.get(function)),), True)
        return None

    def _linear(self, layer: keras.layers.Layer, node: Any, name: str) -> Rule | None:
        function = function_of(layer) if hasattr(layer, "activation") else "linear"
        fuses = not isinstance(layer, layers.Conv2DTranspose)  # with it, the converter fuses nothing
        if function == "linear":
            return Rule("plain", (name,), not (fuses and self._before_relu(node)))
        if function in _FUSED and fuses:
            return Rule("plain", (name,), True)
        if function in (*_FUSED, *_BOUNDED, *_FREE):
            return Rule("split", (f"{name}_linear", self._site(name, _BOUNDED.get(function))), True)
        return None

    def _affine(self, layer: keras.layers.Layer, node: Any, before: str, name: str) -> Rule | None:
        numbers = affine_of(layer)
        assert numbers is not None
        if np.size(numbers[0]) > 1:
            rank = len(node.input_tensors[0].shape)
            return Rule("affine", (name,), not self._before_relu(node)) if rank == 4 else None
        factor, offset = (float(item) for item in numbers)
        exact = self.fixed.get(self.root(before)) == PIXELS and factor > 0 and 0 <= -offset / factor <= CODES
        if not exact:
            sites = [name] if factor == 1 or offset == 0 else [f"{name}_scaled", name]
            return Rule("affine", tuple(sites), not self._before_relu(node))
        # Codes stay as they are: the scaling is in the range alone, and the shift is a whole number of codes.
        scale = float(np.float32(factor))
        below = round(-offset / factor)
        self._site(f"{name}_scaled", (0.0, CODES * scale))
        self._site(name, (-below * scale, (CODES - below) * scale))
        return Rule("affine", (f"{name}_scaled", name), True)

    def _before_relu(self, node: Any) -> bool:
        """Whether a ReLU, which the runtime fuses, takes all that the node gives."""
        after = self._users[id(node.outputs[0])]
        if len(after) != 1 or after[0] is None or after[0].operation.name in self._float:
            return False
        layer = after[0].operation
        return isinstance(layer, (layers.ReLU, layers.Activation)) and function_of(layer) in ("relu", "relu6")

    def _all_float(self, node: Any) -> bool:
        """Whether only layers that compute in float take what the node gives: it then stays in float itself."""
        after = self._users[id(node.outputs[0])]
        return all(user is not None and user.operation.name in self._float for user in after)

    def _joined(self, sites: Sequence[str], layer: str) -> str:
        """Gives the tensors that are concatenated one range."""
        roots = list(dict.fromkeys(self.root(site) for site in sites))
        fixed = {self.fixed.get(root) for root in roots}
        if fixed != {None} and len(fixed) > 1:
            raise InputError(
                f"{layer!r} concatenates tensors whose int8 ranges are prescribed (pixels, or the output of a softmax, "
                "sigmoid or tanh) with others, and the runtime can't: put a layer with weights between them."
            )
        for other in roots[1:]:
            self._roots[other] = roots[0]
        return roots[0]


def _only_trains(layer: keras.layers.Layer) -> bool:
    """Whether a layer gives what it takes once training is over."""
    augments = type(layer).__name__.startswith("Random") and not isinstance(layer, layers.RandomCrop)
    return isinstance(layer, _NOISE) or augments


def _is_last(norm: keras.layers.LayerNormalization) -> bool:
    return list(np.atleast_1d(norm.axis)) in ([-1], [len(norm.input.shape) - 1])


def function_of(layer: Any) -> str | None:
    """The activation function that a layer is or ends with; None for one that isn't known."""
    if isinstance(layer, layers.ReLU):
        if layer.negative_slope or layer.threshold:
            return None
        return {None: "relu", 6.0: "relu6"}.get(layer.max_value)
    if isinstance(layer, layers.LeakyReLU):
        return "leaky_relu"
    if isinstance(layer, layers.Softmax):
        return "softmax" if layer.axis == -1 else None
    function = getattr(layer, "activation", None)
    for name in (*_FUSED, *_BOUNDED, *_FREE):
        if function is keras.activations.get(name):
            return name
    return None


def affine_of(layer: Any) -> tuple[np.ndarray, np.ndarray] | None:
    """Factor and offset, float32 scalars or [channels], of a layer that scales and shifts by numbers."""
    if isinstance(layer, layers.Rescaling):
        factor, offset = (np.asarray(item, np.float32) for item in (layer.scale, layer.offset))
    elif isinstance(layer, layers.Normalization):
        deviation = np.maximum(np.sqrt(np.asarray(layer.variance, np.float32)), keras.config.epsilon())
        factor, offset = 1 / deviation, -np.asarray(layer.mean, np.float32) / deviation
        if layer.invert:
            return None
    elif isinstance(layer, layers.BatchNormalization):
        factor, offset = affine(layer)
    else:
        return None
    factor, offset = (np.reshape(item, -1) for item in np.broadcast_arrays(factor, offset))
    return (factor, offset) if factor.size > 1 else (factor[0], offset[0])
