"""Arrays as a model's inputs take them: by name, in shape and type."""

from __future__ import annotations

from collections.abc import Sequence

import keras
import numpy as np

from tkit.graph import input_names
from tkit.in_memory.arrays import Inputs, finite
from tkit_edge.errors import InputError
from tkit_edge.tensors import TensorSpec, listed


def specs_of(model: keras.Model) -> tuple[TensorSpec, ...]:
    """The inputs of a model, by the names that its normal form has."""
    found = zip(input_names(model), model.inputs, strict=True)
    return tuple(TensorSpec(name, tuple(tensor.shape[1:]), _dtype(tensor.dtype)) for name, tensor in found)


def _dtype(dtype: str) -> str:
    return "float32" if "float" in dtype else dtype


def is_example(specs: Sequence[TensorSpec], name: str | int, shape: tuple[int, ...]) -> bool:
    """Whether a shape is that of one example of the input with this name or position."""
    spec = next((spec for number, spec in enumerate(specs) if name in (number, spec.name)), specs[0])
    return _fits(shape, spec.shape)


def fitted(x: Inputs, specs: Sequence[TensorSpec], where: str) -> dict[str, np.ndarray]:
    """Each input's array [n, *shape], in its type; a last axis of 1 is added or removed, as Keras does.

    Raises:
        InputError: other inputs than the model has, other shapes, or values that the type doesn't have.
    """
    names = [spec.name for spec in specs]
    if list(x) == list(range(len(specs))):
        x = dict(zip(names, x.values(), strict=True))
    if len(specs) == len(x) == 1:
        x = dict(zip(names, x.values(), strict=True))
    if set(x) != set(names):
        given = f"{len(x)} arrays" if 0 in x else ", ".join(map(str, x))
        raise InputError(
            f"x has {given}; {where} takes {listed(specs)}: expected a dict with these names, or a list in this order."
        )
    return {spec.name: _as(x[spec.name], spec, where) for spec in specs}


def _as(values: np.ndarray, spec: TensorSpec, where: str) -> np.ndarray:
    shape = values.shape[1:]
    if not _fits(shape, spec.shape):
        raise InputError(f"x is {values.dtype} {_batch(shape)}; {where} takes {spec.name} {_batch(spec.shape)}.")
    if values.dtype.kind not in "biuf":
        raise InputError(f"x is {values.dtype}; {where} takes {spec.name} as {spec.dtype}. Convert it to numbers.")
    finite(values, f"x[{spec.name!r}]")
    values = values.reshape(len(values), *spec.shape)
    if spec.dtype == "float32" or values.dtype == spec.dtype:
        return values
    made = values.astype(spec.dtype)
    if not np.array_equal(made, values):
        raise InputError(f"x has values that {spec.dtype} doesn't have, as {where} takes {spec.name}. Convert it.")
    return made


def _fits(shape: tuple[int, ...], wanted: tuple[int, ...]) -> bool:
    return shape in (wanted, (*wanted, 1)) or (*shape, 1) == wanted


def _batch(shape: tuple[int, ...]) -> str:
    return f"[{', '.join(map(str, ('n', *shape)))}]"
