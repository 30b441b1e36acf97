"""Functions without an int8 operator in the runtime, composed of operators that it has; all intermediate tensors are
int8.

Sources: Clevert et al. 2015 (ELU), Klambauer et al. 2017 (SELU), He et al. 2015 (PReLU), Misra 2019 (mish).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import keras
import numpy as np
import tensorflow as tf
from keras import layers, ops

from tkit.keras_internals import calls_of
from tkit.registered import registered

_OPERATORS: dict[str, Callable[[Any, Any], Any]] = {
    "add": lambda x, value: x + value,
    "multiply": lambda x, value: x * value,
    "minimum": lambda x, value: ops.minimum(x, value),
    "maximum": lambda x, value: ops.maximum(x, value),
    "absolute": lambda x, _: ops.abs(x),
    "exponential": lambda x, _: ops.exp(x),
    "inverse_root": lambda x, _: ops.rsqrt(x),
    "unit": lambda x, _: tf.nn.l2_normalize(x, -1),
}
SELU = (1.05070098, 1.67326324)
"""Gain and alpha (Klambauer et al. 2017)."""
JUST_ABOVE_1 = float(np.nextafter(np.float32(1), np.float32(2)))
"""Multiplying by this requantizes a tensor; the converter would remove a multiplication by 1."""


@registered
class Operator(layers.Layer):
    """One operator of the runtime, with a number or an array.

    Args:
        kind: its name.
        value: the number, or the array as nested lists, that broadcasts to the input.
    """

    def __init__(self, kind: str, value: Any = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.kind, self.value = kind, value

    def call(self, inputs: Any) -> Any:
        """Any float shape in and out."""
        value = None if self.value is None else tf.cast(tf.constant(self.value, tf.float32), inputs.dtype)
        return _OPERATORS[self.kind](inputs, value)

    def compute_output_shape(self, input_shape: Any) -> Any:
        """The input's."""
        return input_shape

    def get_config(self) -> dict[str, Any]:
        """The arguments."""
        return {**super().get_config(), "kind": self.kind, "value": self.value}


class Tensors:
    """Creates the intermediate tensors, each by one layer, named and rounded like the tensor.

    Args:
        sites: the tensors' names.
        rounded: rounds a tensor to the codes of a name's range.
        named: an unused name for a layer that only moves values.
        last: the last layer's name.
        complete: whether the last tensor is rounded too; otherwise its consumer does it.
    """

    def __init__(
        self,
        sites: tuple[str, ...],
        rounded: Callable[[Any, str], Any],
        named: Callable[[str], str],
        last: str,
        complete: bool = False,
    ) -> None:
        self._sites, self._rounded, self._named, self._last, self._complete = sites, rounded, named, last, complete
        self._count = 0

    def add(self, make: Callable[..., Any], inputs: Any, *arguments: Any, **keywords: Any) -> Any:
        """The output of a new layer, created with these arguments and a name, for `inputs`."""
        site = self._sites[self._count]
        self._count += 1
        is_last = self._count == len(self._sites)
        output = make(*arguments, name=self._last if is_last else site, **keywords)(inputs)
        return self._rounded(output, site) if self._complete or not is_last else output

    def operator(self, kind: str, inputs: Any, value: Any = None) -> Any:
        """The output of a new `Operator`."""
        return self.add(Operator, inputs, kind, value)

    def reshaped(self, inputs: Any, shape: tuple[int, ...]) -> Any:
        """The same values in the same codes."""
        if tuple(inputs.shape[1:]) == shape:
            return inputs
        return layers.Reshape(shape, name=self._named(f"{self._last}_reshaped"))(inputs)


class Function(NamedTuple):
    """A function composed of the runtime's operators."""

    parts: tuple[str, ...]
    """Names of the intermediate tensors."""
    make: Callable[[Any, Tensors], Any]
    """Creates them and the result, in this order."""
    fixed: dict[str, tuple[float, float]] = {}  # noqa: RUF012  # nobody changes it
    """Prescribed ranges, by part; "" is the result's."""
    complete: bool = False
    """Whether the result is rounded too."""
    suffix: str = ""
    """Suffix of the last layer's name."""


def activation(layer: Any, fixed: tuple[float, float] | None = None) -> Function:
    """A layer's activation function, as a layer."""
    ranges = {} if fixed is None else {"": fixed}
    return Function((), lambda x, tensors: tensors.add(layers.Activation, x, layer.activation), ranges)


def function_parts(layer: Any) -> Function | None:
    """The function that a layer computes or ends with, in parts; None for one that has no such form."""
    if isinstance(layer, layers.ELU):
        return _elu(1.0, float(layer.alpha))
    if isinstance(layer, layers.PReLU):
        return _leaky(layer.alpha.numpy().tolist(), None)
    if isinstance(layer, layers.ReLU):
        return None if layer.threshold else _leaky(float(layer.negative_slope or 0), layer.max_value)
    if isinstance(layer, layers.UnitNormalization):
        last = len(calls_of(layer)[0].input_tensors[0].shape) - 1
        unit = Function((), lambda x, tensors: tensors.operator("unit", x), {"": (-1.0, 127 / 128)})
        return unit if layer.axis in (-1, last, [-1], [last]) else None
    functions: dict[Any, Function] = {
        keras.activations.elu: _elu(1.0, 1.0),
        keras.activations.celu: _elu(1.0, 1.0),
        keras.activations.selu: _elu(*SELU),
        keras.activations.softsign: _SOFTSIGN,
        keras.activations.mish: _MISH,
        keras.activations.hard_tanh: _HARD_TANH,
    }
    return functions.get(getattr(layer, "activation", None))


def _elu(gain: float, alpha: float) -> Function:
    grown = gain != 1.0

    def make(x: Any, tensors: Tensors) -> Any:
        below = tensors.operator("minimum", x, 0.0)
        power = tensors.operator("exponential", below)
        if gain * alpha != 1.0:
            power = tensors.operator("multiply", power, gain * alpha)
        tail = tensors.operator("add", power, -gain * alpha)
        above = tensors.add(layers.ReLU, x)
        if grown:
            above = tensors.operator("multiply", above, gain)
        return tensors.add(layers.Add, [above, tail])

    scaled = ("scaled",) if gain * alpha != 1.0 else ()
    parts = ("below", "power", *scaled, "tail", "above", *(("grown",) if grown else ()))
    return Function(parts, make, {"power": (0.0, 255 / 256)})


def _leaky(slope: Any, most: float | None) -> Function:
    """ReLU with a slope below 0, a number or an array, and a largest value."""
    leaks = bool(np.any(np.asarray(slope) != 0))
    if not leaks and most is None:  # an untrained PReLU
        return Function((), lambda x, tensors: tensors.add(layers.ReLU, x))

    def make(x: Any, tensors: Tensors) -> Any:
        above = tensors.add(layers.ReLU, x)
        if most is not None:  # rounding has already clipped
            above = tensors.operator("minimum", above, float(most))
        if not leaks:
            return above
        below = tensors.operator("minimum", x, 0.0)
        return tensors.add(layers.Add, [above, tensors.operator("multiply", below, slope)])

    parts = ("above", *(("clipped",) if most is not None else ()), "below", "scaled")
    fixed = {} if most is None else {"above": (0.0, float(most))}
    if not leaks:
        return Function(("above",), make, fixed | {"": fixed["above"]})
    return Function(parts, make, fixed)


def _softsign(x: Any, tensors: Tensors) -> Any:
    raised = tensors.operator("add", tensors.operator("absolute", x), 1.0)
    root = tensors.operator("inverse_root", raised)
    return tensors.add(layers.Multiply, [x, tensors.add(layers.Multiply, [root, root])])


def _mish(x: Any, tensors: Tensors) -> Any:
    """x tanh(softplus(x)) is x (2 / (1 + sigmoid(-x)^2) - 1)."""
    gate = tensors.add(layers.Activation, tensors.operator("multiply", x, -1.0), "sigmoid")
    raised = tensors.operator("add", tensors.add(layers.Multiply, [gate, gate]), 1.0)
    root = tensors.operator("inverse_root", raised)
    doubled = tensors.operator("multiply", tensors.add(layers.Multiply, [root, root]), 2.0)
    return tensors.add(layers.Multiply, [x, tensors.operator("add", doubled, -1.0)])


def _hard_tanh(x: Any, tensors: Tensors) -> Any:
    return tensors.operator("maximum", tensors.operator("minimum", x, 1.0), -1.0)


_SOFTSIGN = Function(("absolute", "raised", "root", "inverse"), _softsign)
_MISH = Function(
    ("negative", "gate", "square", "raised", "root", "inverse", "doubled", "factor"), _mish, {"gate": (0.0, 255 / 256)}
)
_HARD_TANH = Function(("clipped",), _hard_tanh, {"clipped": (-128 / 127, 1.0), "": (-128 / 127, 1.0)})
