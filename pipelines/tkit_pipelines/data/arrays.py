"""The config of a data set of arrays: an .npz file with one for each input of the model, and what is right for them.

Parts of the file's own are arrays of the same names after `validation/` and `test/`. `class_names` (text, [classes])
names what whole-numbered targets count.
"""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import numpy as np

from tkit_edge.errors import InputError
from tkit_edge.files import read_arrays
from tkit_edge.inputs import Input
from tkit_edge.inputs.tensors import Tensors
from tkit_edge.tensors import TensorSpec
from tkit_pipelines.class_names import ordered
from tkit_pipelines.config import did_you_mean
from tkit_pipelines.data import Data, Labels
from tkit_pipelines.dataset import Examples
from tkit_pipelines.memory import machine_memory
from tkit_pipelines.source import Loaded
from tkit_pipelines.splits import Splits

PREFIXES = {"validation": "validation/", "test": "test/"}
"""Of the names of a part's arrays."""
CLASS_NAMES = "class_names"
DTYPES = ("float32", "float64", "int32", "int64", "uint8", "int8", "bool")
"""Of the arrays; a model gets float32 for float64, and int32 for int64 where the values fit."""


class Arrays(Data):
    """Arrays by name, one for each input of the model.

    Example:
        >>> np.savez("houses.npz", rooms=rooms, place=place, price=price)  # [n], [n, 2] and [n]
        >>> data = Arrays(source="houses.npz", targets="price", labels="numbers")
        >>> splits = data.load(seed=0)
        >>> batches = Batches(splits.train, data, lambda columns: columns["number"], seed=0)
    """

    takes = "tensors"

    kind: Literal["arrays"] = "arrays"
    source: str
    """The path of an .npz file: of each input of the model an array [n, ...] of the same name."""
    labels: Labels = "none"
    """What `targets` holds: names of `classes` (text or whole numbers), `numbers` to be predicted, or `none`."""
    targets: str | None = None
    """The array that says what is right, [n]; null: none does, and `labels` is none."""

    def load(self, seed: int, known: Input | None = None) -> Splits:
        """The examples in training, validation and test parts; see `Data.load`."""
        if (self.targets is None) != (self.labels == "none"):
            raise InputError(
                f"data.labels={self.labels} and data.targets={self.targets or 'null'} don't fit: targets names the "
                "array that holds classes or numbers, labels says which of the two they are."
            )
        path = Path(self.source).expanduser()
        arrays = read_arrays(path, str(path), machine_memory())
        names = arrays.pop(CLASS_NAMES, None) if self.labels == "classes" else None
        parts = _parts(arrays)
        for part in parts.values():
            _check_lengths(part, self.source)
        lengths = {part: len(next(iter(columns.values()), ())) for part, columns in parts.items()}
        test = lengths.pop("test", 0)
        joined = {name: _joined([part[name] for part in parts.values()]) for name in parts["train"]}
        right, class_names = self._right(joined, names)
        if not joined or right.keys() & joined.keys():
            raise InputError(
                f"{self.source}: expected an array for each input of the model beside {self.targets!r}, none of them "
                f"called {self.target!r}; found {', '.join(joined) or 'no other'}."
            )
        inputs = {name: _input(array, f"{self.source}: the array {name!r}") for name, array in joined.items()}
        specs = tuple(TensorSpec(name, array.shape[1:], str(array.dtype)) for name, array in inputs.items())
        columns = {**right, **inputs}
        count = sum(lengths.values())
        loaded = Loaded(
            Examples({name: column[:count] for name, column in columns.items()}),
            Examples({name: column[count:] for name, column in columns.items()}) if test else None,
            class_names,
            validation=lengths.get("validation", 0),
            example="example",
        )
        return Splits(*self._parts(loaded, seed), class_names, Tensors(specs), self.source)

    def _right(
        self, arrays: dict[str, np.ndarray], names: np.ndarray | None
    ) -> tuple[dict[str, np.ndarray], tuple[str, ...]]:
        """The target column, whose array is taken out of `arrays`, and the names of its classes."""
        if self.targets is None:
            return {}, ()
        if self.targets not in arrays:
            raise InputError(f"{self.source} has no array {self.targets!r}.{did_you_mean(self.targets, arrays)}")
        array = arrays.pop(self.targets)
        what = f"{self.source}: the array {self.targets!r}"
        if array.shape[1:] not in ((), (1,)):
            raise InputError(f"{what} must be [n], one value per example; received {list(array.shape)}.")
        if self.labels == "numbers":
            return {"number": _floats(array.ravel(), what, "biuf")}, ()
        if array.dtype.kind not in "biuU":
            raise InputError(f"{what} must be text or whole numbers, the names of classes; received {array.dtype}.")
        if names is not None:
            return {"label": _indices(array.ravel(), len(names), what)}, tuple(map(str, names.ravel()))
        values, inverse = np.unique(array.ravel(), return_inverse=True)
        index, class_names = ordered(map(str, values))
        return {"label": np.array([index[str(value)] for value in values], np.int32)[inverse]}, class_names


def _parts(arrays: dict[str, np.ndarray]) -> dict[str, dict[str, np.ndarray]]:
    """The arrays of each part that there is, in the order train, validation, test, by their names.

    Raises:
        InputError: parts with other arrays, or arrays of other shapes or types.
    """
    parts = {
        part: {name.removeprefix(prefix): array for name, array in arrays.items() if name.startswith(prefix)}
        for part, prefix in PREFIXES.items()
    }
    inside = tuple(PREFIXES.values())
    train = {name: array for name, array in arrays.items() if not name.startswith(inside)}
    for part, own in parts.items():
        for name in sorted(own.keys() ^ train.keys()) if own else ():
            raise InputError(f"The {part} and the training part must have the same arrays; only one has {name!r}.")
        for name, array in own.items():
            if array.shape[1:] != train[name].shape[1:]:
                raise InputError(
                    f"The array {name!r} is {list(array.shape)} in the {part} part and {list(train[name].shape)} in "
                    "the training part: expected rows of one shape."
                )
    return {"train": train, **{part: own for part, own in parts.items() if own}}


def _joined(parts: list[np.ndarray]) -> np.ndarray:
    return np.concatenate(parts) if len(parts) > 1 else parts[0]


def _indices(labels: np.ndarray, count: int, what: str) -> np.ndarray:
    """Labels that count the class names, int32 [n]."""
    if labels.dtype.kind not in "biu" or (len(labels) and not 0 <= labels.min() <= labels.max() < count):
        raise InputError(f"{what} must be whole numbers from 0 to {count - 1}, as there are {count} {CLASS_NAMES}.")
    return labels.astype(np.int32)


def _check_lengths(arrays: dict[str, np.ndarray], source: str) -> None:
    """Refuse arrays that aren't of the same number of examples."""
    lengths: dict[int, str] = {}
    for name, array in arrays.items():
        if not array.ndim:
            raise InputError(f"{source}: the array {name!r} must be [n, ...], a row per example; received one value.")
        lengths.setdefault(len(array), name)
    if len(lengths) > 1:
        (one, first), (other, second), *_ = lengths.items()
        raise InputError(
            f"{source}: the array {first!r} has {one:,} rows and {second!r} has {other:,}: expected as many."
        )


def _input(array: np.ndarray, what: str) -> np.ndarray:
    """An array as a model takes it."""
    if array.dtype.kind == "f" and array.dtype.name in DTYPES:
        return _floats(array, what, "f")
    if array.dtype.name not in DTYPES:
        raise InputError(f"{what} must be {' or '.join(DTYPES)}; received {array.dtype}. Convert it.")
    ends = np.iinfo(np.int32)
    if array.dtype.name == "int64" and array.min(initial=0) >= ends.min and array.max(initial=0) <= ends.max:
        return array.astype(np.int32)
    return array.astype(array.dtype.newbyteorder("="), copy=False)


def _floats(array: np.ndarray, what: str, kinds: str) -> np.ndarray:
    """Finite numbers as float32; `kinds` are those of NumPy that `array` may be of."""
    if array.dtype.kind not in kinds:
        raise InputError(f"{what} must be numbers; received {array.dtype}. Convert it.")
    with np.errstate(over="ignore"):
        values = array.astype(np.float32, copy=False)
    finite = np.isfinite(values)
    if not finite.all():
        row = int(np.argwhere(~finite)[0, 0])
        raise InputError(f"{what} has a value in row {row} that is no finite float32. Fill it in, or remove the row.")
    return values
