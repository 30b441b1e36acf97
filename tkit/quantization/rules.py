"""The rule for each call of a layer in int8, and the range of each tensor."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any, NamedTuple

import keras
import numpy as np
import tensorflow as tf
from keras import layers

from tkit.graph import fresh, names, users
from tkit.keras_internals import nodes, producer
from tkit.kernels.scales import LARGEST_CODE, code_scales, scale_shape
from tkit.kernels.viewed import with_kernels
from tkit.quantization.fake_quant import CODES
from tkit.quantization.functions import Function, Tensors, activation, function_parts
from tkit.quantization.kinds import BOUNDED, FUSED, affine_of, function_of, kind_of
from tkit.quantization.normalizations import norm_parts, scaling
from tkit_edge.errors import InputError
from tkit_edge.inputs.image import Image
from tkit_pipelines.config import did_you_mean

PIXELS = Image.range
NO_SCALES: Mapping[str, Any] = MappingProxyType({})
_FUNCTIONS = (layers.Activation, layers.ReLU, layers.LeakyReLU, layers.Softmax, layers.ELU, layers.PReLU)


class Rule(NamedTuple):
    """The int8 form of one call: the layer, if `layer`; then its activation function or its parts; then rounding."""

    sites: tuple[str, ...]
    """Names of the tensors that it outputs; if it computes in float, one per output, "" for an unused one."""
    rounds: bool
    """Whether the last one is rounded here: not if a ReLU that the runtime fuses follows, or nothing is computed."""
    layer: bool = True
    """Whether a copy of the layer is called."""
    linear: bool = False
    """Whether the copy is without its activation function; the first site is then its output."""
    function: Function | None = None
    """What is computed after the layer, or instead of it."""
    before: tuple[str | None, ...] = ()
    """Sites that inputs are rounded to first."""
    float: bool = False
    """Whether the function, or the layer, computes in float."""
    shielded: bool = False
    """Whether inputs are hidden from the converter too, which would otherwise round kernels inside the layer."""


class Rules:
    """The rules of a folded model's calls. A call without a rule computes in float.

    Args:
        model: the folded model.
        float_layers: layers that compute in float.
        input_range: of the inputs, where it is known beforehand.
        scales: of the codes of embeddings, by layer; those that give its largest number the largest code by default.

    Raises:
        InputError: an unknown name among `float_layers`.
    """

    def __init__(
        self,
        model: keras.Model,
        float_layers: Sequence[str],
        input_range: tuple[float, float] | None = PIXELS,
        scales: Mapping[str, Any] = NO_SCALES,
    ) -> None:
        known = [layer.name for layer in model.layers]
        for name in float_layers:
            if name not in known:
                raise InputError(f"float_layers names {name!r}, which the model lacks.{did_you_mean(name, known)}")
        self._users = users(model)
        self._kernels = {layer.name for layer in with_kernels(model)}
        self._scales = scales
        self._roots: dict[str, str] = {}
        self._uses: list[str] = []
        self.names = names(model)
        """Of all layers and sites."""
        self.fixed: dict[str, tuple[float, float]] = {}
        """Prescribed ranges, by site."""
        self.symmetric: set[str] = set()
        """Sites that only products of matrices read, as second factors: XNNPACK wants 0 in their middle."""
        self.of: dict[int, Rule] = {}
        """By a node's id."""
        self.ruleless: dict[str, str] = {}
        """Descriptions, by layer, of what computes in float without being named in `float_layers`."""
        self.floats = set(float_layers)
        """Layers that compute in float, kernels and all."""
        for node in nodes(model):
            # What computes with integers, such as a mask, stays as it is.
            if any(map(is_real, node.outputs)) and not (node.operation.name in self.floats or self._has_rule(node)):
                self.floats.add(node.operation.name)
                self.ruleless[node.operation.name] = f"{node.operation.name!r} ({type(node.operation).__name__})"
        self.starts = [producer(tensor).name for tensor in model.inputs]
        """The sites of the inputs, in their order; those of integers are not rounded."""
        self._sites = {
            id(tensor): self._site(site, input_range) for tensor, site in zip(model.inputs, self.starts, strict=True)
        }
        seen: Counter[str] = Counter()
        for node in nodes(model):
            name, number = node.operation.name, seen[node.operation.name]
            seen[name] += 1
            rule = self._rule(node, fresh(f"{name}_{number}", self.names) if number else name)
            self.of[id(node)] = rule
            complete = rule.rounds or (rule.function is not None and rule.function.complete)
            self._uses += [site for site in rule.before if site]
            self._uses += filter(None, rule.sites[: None if complete else -1])
            for tensor, site in zip(node.outputs, rule.sites if self._is_float(node) else (), strict=False):
                self._sites[id(tensor)] = site
            for tensor in node.outputs:
                self._sites.setdefault(id(tensor), rule.sites[-1])

    def root(self, site: str) -> str:
        """The site whose range a site shares."""
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

    def _is_float(self, node: Any) -> bool:
        return node.operation.name in self.floats

    def _has_rule(self, node: Any) -> bool:
        layer = node.operation
        if isinstance(layer, layers.Embedding):
            return not layer.mask_zero
        if not all(is_real(tensor) for tensor in (*node.input_tensors, *node.outputs)):
            return False
        if kind_of(node) or layer.name in self._kernels or affine_of(layer) is not None:
            return True
        return norm_parts(layer) is not None or _function_of(layer) is not None

    def _rule(self, node: Any, name: str) -> Rule:
        layer = node.operation
        if self._is_float(node):
            used = [bool(self._users.get(id(tensor))) for tensor in node.outputs]
            others = (fresh(f"{name}_output_{number}", self.names) for number in range(1, len(node.outputs)))
            sites = tuple(site if use else "" for site, use in zip((name, *others), used, strict=True))
            shielded = bool(getattr(layer, "weights", None)) and layer.name not in self._kernels
            return Rule(sites, not self._all_float(node), float=True, shielded=shielded)
        if not any(map(is_real, node.outputs)):
            return Rule((name,), False)
        if isinstance(layer, layers.Embedding):
            return Rule((self._site(name, self._codes(layer)),), True)
        before = [self._sites[id(tensor)] for tensor in node.input_tensors]
        kind = kind_of(node)
        if kind in ("same", "rounded"):
            return Rule((before[0],), kind == "rounded")
        if kind == "joined":
            again = self._separate(before, name)
            return Rule(
                (self._joined([new or old for new, old in zip(again, before, strict=True)]),), False, before=again
            )
        if kind == "own":
            if type(layer).__name__ in ("Dot", "Matmul") and self._only_multiplied(node.input_tensors[1:]):
                self.symmetric.add(self.root(before[1]))
            return Rule((name,), True)
        if layer.name in self._kernels or kind == "sum":
            return self._linear(layer, node, name)
        if affine_of(layer) is not None:
            return self._affine(layer, node, before[0], name)
        function = norm_parts(layer) or _function_of(layer)
        if isinstance(function, Function):
            return Rule(self._parts(name, function), True, layer=False, function=function)
        return Rule((self._site(name, BOUNDED.get(str(function))),), True)

    def _codes(self, table: keras.layers.Embedding) -> tuple[float, float]:
        """The range of a table's codes, which are looked up as they are."""
        scale = self._scales.get(table.name)
        if scale is None:
            numbers = tf.convert_to_tensor(table.embeddings)
            scale = code_scales(numbers, scale_shape(table, tuple(numbers.shape)))
        step = float(np.ravel(scale)[0])
        return -(LARGEST_CODE + 1) * step, LARGEST_CODE * step

    def _linear(self, layer: Any, node: Any, name: str) -> Rule:
        function = function_of(layer) if hasattr(layer, "activation") else "linear"
        if function == "linear":
            return Rule((name,), not self._before_relu(node))
        if function in FUSED:
            return Rule((name,), True)
        parts = activation(layer, BOUNDED.get(str(function))) if function else function_parts(layer)
        if parts is None:
            what = getattr(layer.activation, "__name__", type(layer.activation).__name__)
            self.ruleless[layer.name] = f"the activation {what} of {layer.name!r} ({type(layer).__name__})"
        split = (parts or activation(layer))._replace(suffix="_function")
        sites = (fresh(f"{name}_linear", self.names), *self._parts(name, split))
        rounds = parts is not None or not self._all_float(node)
        return Rule(sites, rounds, linear=True, function=split, float=parts is None)

    def _affine(self, layer: Any, node: Any, before: str, name: str) -> Rule:
        numbers = affine_of(layer)
        assert numbers is not None
        rounds = not self._before_relu(node)
        if np.size(numbers[0]) > 1:
            function = scaling(*numbers, tuple(node.input_tensors[0].shape[1:]))
            return Rule(self._parts(name, function), rounds or function.complete, layer=False, function=function)
        factor, offset = (float(item) for item in numbers)
        exact = self.fixed.get(self.root(before)) == PIXELS and factor > 0 and 0 <= -offset / factor <= CODES
        if not exact:
            function = _scaled_and_shifted(factor, offset, separate=factor != 1 and offset != 0)
            return Rule(self._parts(name, function), rounds, layer=False, function=function)
        # Codes don't change: the scaling is only in the range, and the shift is a whole number of codes.
        scale = float(np.float32(factor))
        below = round(-offset / factor)
        fixed = {"scaled": (0.0, CODES * scale), "": (-below * scale, (CODES - below) * scale)}
        function = _scaled_and_shifted(factor, offset, separate=True)._replace(fixed=fixed)
        return Rule(self._parts(name, function), True, layer=False, function=function)

    def _parts(self, name: str, function: Function) -> tuple[str, ...]:
        """The sites of a function's tensors."""
        parts = (self._site(fresh(f"{name}_{part}", self.names), function.fixed.get(part)) for part in function.parts)
        return (*parts, self._site(name, function.fixed.get("")))

    def _before_relu(self, node: Any) -> bool:
        """Whether the node's only consumer is a ReLU, which the runtime fuses.

        The converter puts it before a Reshape, but not of a transposed convolution.
        """
        after = self._users[id(node.outputs[0])]
        if len(after) != 1 or after[0] is None or self._is_float(after[0]):
            return False
        layer = after[0].operation
        if isinstance(layer, layers.Reshape) and not isinstance(node.operation, layers.Conv2DTranspose):
            return self._before_relu(after[0])
        return isinstance(layer, (layers.ReLU, layers.Activation)) and function_of(layer) in ("relu", "relu6")

    def _only_multiplied(self, tensors: Sequence[Any]) -> bool:
        """Whether nothing but products of matrices reads the tensors; there is one, if there are two factors."""
        after = [user for tensor in tensors for user in self._users.get(id(tensor), [])]
        kinds = {user and type(user.operation).__name__ for user in after}
        return bool(after) and kinds <= {"Dot", "Matmul"}

    def _all_float(self, node: Any) -> bool:
        """Whether only layers that compute in float consume the node's outputs: it then stays in float itself."""
        after = [user for tensor in node.outputs for user in self._users.get(id(tensor), [])]
        return all(user is not None and self._is_float(user) for user in after)

    def _separate(self, sites: Sequence[str], name: str) -> tuple[str | None, ...]:
        """Separate sites for tensors that can't share the codes of the others: their range is prescribed."""
        fixed = [self.fixed.get(self.root(site)) for site in sites]
        if len(set(fixed)) == 1:
            return (None,) * len(sites)
        return tuple(
            fresh(f"{name}_input_{number}", self.names) if range_ is not None else None
            for number, range_ in enumerate(fixed)
        )

    def _joined(self, sites: Sequence[str]) -> str:
        """Makes tensors share one range."""
        roots = list(dict.fromkeys(self.root(site) for site in sites))
        for other in roots[1:]:
            self._roots[other] = roots[0]
        return roots[0]


def is_real(tensor: Any) -> bool:
    """Whether a tensor holds numbers that can be rounded: no masks, no indices."""
    return "float" in str(tensor.dtype)


def _function_of(layer: Any) -> Function | str | None:
    """The function that a layer computes, if nothing else: one operator's name, or parts."""
    if isinstance(layer, layers.UnitNormalization):
        return function_parts(layer)
    if not isinstance(layer, _FUNCTIONS):
        return None
    return (None if layer.weights else function_of(layer)) or function_parts(layer)


def _scaled_and_shifted(factor: float, offset: float, *, separate: bool) -> Function:
    """A product and a sum, one tensor each if `separate`."""

    def make(x: Any, tensors: Tensors) -> Any:
        scaled = tensors.add(layers.Rescaling, x, factor) if separate else x
        return tensors.add(layers.Rescaling, scaled, 1.0 if separate else factor, offset)

    return Function(("scaled",) if separate else (), make, suffix="_shifted")
