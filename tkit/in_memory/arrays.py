"""Whatever NumPy can read as an array: x and y of the user's own program."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np

from tkit_edge.errors import InputError

Inputs = dict[str | int, np.ndarray]
"""By an input's name, or by its position where x is a list of arrays or a single one (0): [n, ...]."""


class Part(NamedTuple):
    """Examples."""

    x: Inputs
    y: np.ndarray | None

    @property
    def length(self) -> int:
        """Their number."""
        return len(next(iter(self.x.values())))


def array(value: Any, what: str) -> np.ndarray:
    """An array of numbers or texts; `what` is what messages call it.

    Raises:
        InputError: ragged or sparse values, or other objects.
    """
    tensorflow = sys.modules.get("tensorflow")
    if tensorflow is not None and isinstance(value, (tensorflow.RaggedTensor, tensorflow.SparseTensor)):
        raise InputError(f"{what} is a {type(value).__name__}: expected an array of one shape. {_DENSE}")
    try:
        made = np.asarray(value)
    except (ValueError, TypeError) as error:  # rows of different lengths
        raise InputError(f"{what} is no array of one shape ({error}). {_DENSE}") from error
    if made.dtype.kind == "O":
        items = made.ravel().tolist()
        if made.ndim and all(isinstance(item, (str, bytes)) for item in items):
            texts = [item if isinstance(item, str) else _decoded(item, what) for item in items]
            return np.array(texts, dtype=np.str_).reshape(made.shape)
        raise InputError(f"{what} is a {type(value).__name__} of objects: expected numbers or texts. {_DENSE}")
    if made.dtype.kind == "S":
        return np.array([_decoded(item, what) for item in made.ravel().tolist()], np.str_).reshape(made.shape)
    return made


def finite(values: np.ndarray, what: str) -> None:
    """Raises InputError for numbers that are NaN or infinite."""
    if values.dtype.kind == "f" and not np.isfinite(values).all():
        row = int(np.argwhere(~np.isfinite(values))[0, 0])
        raise InputError(
            f"{what} has NaN or infinite values, the first in row {row}. Fill them in, or remove the rows."
        )


_DENSE = "Make it dense, all rows of one shape: tensor.to_tensor(), array.toarray(), keras.utils.pad_sequences(...)."


def _decoded(item: bytes, what: str) -> str:
    try:
        return item.decode()
    except UnicodeDecodeError as error:
        raise InputError(f"{what} has bytes that are not UTF-8 text ({error}).") from error


def inputs(x: Any) -> Inputs:
    """x as arrays: of a dict by name, of a list or tuple of arrays by position, else the one array.

    Raises:
        InputError: what can't be read as arrays.
    """
    if isinstance(x, Mapping):
        if not x:
            raise InputError("x is an empty dict: expected an array for each input of the model.")
        return {str(name): array(value, f"x[{str(name)!r}]") for name, value in x.items()}
    if isinstance(x, (list, tuple)) and x and all(map(_is_array, x)):
        return {number: array(item, f"x[{number}]") for number, item in enumerate(x)}
    return {0: array(x, "x")}


def _is_array(item: Any) -> bool:
    return not isinstance(item, (list, str, bytes)) and np.ndim(item) > 0


def part(x: Any, y: Any) -> Part:
    """Examples and their labels, None where they have none.

    Raises:
        InputError: what can't be read as arrays, no examples, or arrays of different lengths.
    """
    made = Part(inputs(x), None if y is None else array(y, "y"))
    named = {f"x[{name!r}]" if len(made.x) > 1 else "x": values for name, values in made.x.items()}
    named |= {} if made.y is None else {"y": made.y}
    for what, values in named.items():
        if not values.ndim:
            raise InputError(f"{what} is a single value: expected an array [n, ...], a row per example.")
    lengths = {what: len(values) for what, values in named.items()}
    if len(set(lengths.values())) > 1:
        received = ", ".join(f"{count:,} of {what}" for what, count in lengths.items())
        raise InputError(f"x and y must have a row per example each; received {received}.")
    if not made.length:
        raise InputError("x has no examples.")
    return made
