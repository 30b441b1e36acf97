"""Any tensors: numbers in .npz files, one example per file."""

from __future__ import annotations

import io
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from tkit_edge import files
from tkit_edge.errors import InputError
from tkit_edge.inputs import Input, files_in
from tkit_edge.tensors import Arrays, NamedTensors, TensorSpec

SUFFIX = ".npz"
MAX_BYTES = 1 << 30
"""Of one example's file, unpacked."""


@dataclass(frozen=True)
class Tensors(NamedTensors, Input):
    """Named tensors, as a model takes them."""

    kind = "tensors"

    def items(self, arguments: Sequence[str]) -> Iterator[Path]:
        """.npz files, and those in folders."""
        return files_in(arguments, (SUFFIX,))

    def read(self, item: str | Path | bytes | Arrays) -> Arrays:
        """The arrays of an .npz file, of its bytes, or of a mapping: of each tensor one, without a batch.

        Raises:
            InputError: an array that is missing, of another shape, or of values that the tensor's type doesn't have.
        """
        name = str(item) if isinstance(item, (str, Path)) else "The example"
        if isinstance(item, Mapping):
            arrays = item
        else:
            data = item if isinstance(item, bytes) else files.read_bytes(Path(item))
            arrays = files.read_arrays(io.BytesIO(data), name, limit=MAX_BYTES)
        return {spec.name: _fitting(arrays, spec, name) for spec in self.specs}

    def encoded(self, example: Arrays) -> bytes:
        """An .npz file."""
        return files.npz_bytes({spec.name: example[spec.name] for spec in self.specs})

    def suffix(self, data: bytes) -> str:
        """Always the same."""
        return SUFFIX

    def difference(self, expected: Arrays, read: Arrays, suffix: str) -> tuple[float, bool]:
        """The largest of any value; nothing may differ."""
        apart = [
            float(np.abs(read[name].astype(np.float64) - array).max()) or 1.0  # of integers past 2^53
            for name, array in expected.items()
            if not np.array_equal(read[name], array)
        ]
        return max(apart, default=0.0), bool(apart)


def _fitting(arrays: Arrays, spec: TensorSpec, name: str) -> np.ndarray:
    """A tensor's array, in its type: floats are rounded to it, integers and booleans have to be the very same."""
    if spec.name not in arrays:
        raise InputError(f"{name} has no array {spec.name!r}; it has {', '.join(arrays) or 'none'}.")
    array = np.asarray(arrays[spec.name])
    if array.shape != spec.shape:
        raise InputError(f"{name}: {spec.name} has the shape {list(array.shape)}, the model takes {list(spec.shape)}.")
    is_float = spec.dtype == "float32"
    if array.dtype.kind not in ("fiub" if is_float else "iub"):
        raise InputError(f"{name}: {spec.name} is {array.dtype}, the model takes {spec.dtype}: convert it.")
    with np.errstate(over="ignore"):
        cast = array.astype(spec.dtype)
    if not (np.isfinite(cast).all() if is_float else np.array_equal(cast, array)):
        raise InputError(f"{name}: {spec.name} has values that {spec.dtype} doesn't have.")
    return cast
