"""Arrays by name, as a Keras model takes and gives them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras
import numpy as np

from tkit.graph import one_or_all
from tkit_edge.tensors import Arrays, TensorSpec


def count(arrays: Arrays) -> int:
    """The number of examples."""
    return len(next(iter(arrays.values())))


def part(arrays: Arrays, which: Any) -> dict[str, np.ndarray]:
    """The examples at indices or in a slice."""
    return {name: array[which] for name, array in arrays.items()}


def fed(model: keras.Model, arrays: Arrays) -> Any:
    """Arrays in the model's order, in its inputs' dtypes: one alone, several as a list."""
    values = [
        np.asarray(array).astype(tensor.dtype) for array, tensor in zip(arrays.values(), model.inputs, strict=True)
    ]
    return one_or_all(values)


def named(outputs: Any, specs: Sequence[TensorSpec]) -> dict[str, np.ndarray]:
    """A model's outputs by the names of `specs`, each [n, *shape]."""
    flat = [np.asarray(item) for item in keras.tree.flatten(outputs)]
    return {spec.name: item.reshape(len(item), *spec.shape) for spec, item in zip(specs, flat, strict=True)}


def predicted(
    model: keras.Model, arrays: Arrays, specs: Sequence[TensorSpec], batch_size: int
) -> dict[str, np.ndarray]:
    """What the model gives for all examples."""
    return named(model.predict(fed(model, arrays), batch_size=batch_size, verbose=0), specs)
