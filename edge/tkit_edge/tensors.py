"""Named tensors: what a model takes and gives."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple, Protocol, TypeVar

import numpy as np

from tkit_edge.errors import InputError
from tkit_edge.fields import Fields

Arrays = Mapping[str, np.ndarray]
"""By a tensor's name, its values for n examples: [n, ...]."""

DTYPES = ("float32", "int32", "int64", "uint8", "int8", "bool")
"""The types of a model's tensors."""


Own = TypeVar("Own", bound="NamedTensors")


class TensorSpec(NamedTuple):
    """One tensor of a model."""

    name: str
    shape: tuple[int, ...]
    """Of one example, without the batch."""
    dtype: str
    """"float32", which a file may store quantized, or the integers' own type."""


def matched(
    wanted: Sequence[TensorSpec], found: Sequence[TensorSpec], name: str, side: str
) -> list[tuple[TensorSpec, TensorSpec]]:
    """Each wanted tensor with the file's of the same name; of one tensor each, the name doesn't matter.

    Args:
        wanted: what somebody relies on.
        found: what the file called `name` has.
        name: for messages.
        side: "takes" or "gives".

    Raises:
        InputError: the file has other tensors: more or fewer, other names or shapes; axes of size 1 don't count.
    """
    by_name = {spec.name: spec for spec in found}
    if len(wanted) == len(found) == 1:
        by_name = {wanted[0].name: found[0]}
    if len(wanted) != len(found) or any(spec.name not in by_name for spec in wanted):
        raise InputError(f"{name} {side} {listed(found)}, expected {listed(wanted)}.")
    pairs = [(spec, by_name[spec.name]) for spec in wanted]
    for spec, own in pairs:
        if _plain(spec.shape) != _plain(own.shape):
            raise InputError(f"{name} {side} {listed([own])}, expected {listed([spec])}.")
    return pairs


class Runner(Protocol):
    """A file that is loaded, in this process or in one of its own."""

    name: str
    inputs: tuple[TensorSpec, ...]
    outputs: tuple[TensorSpec, ...]

    def run(self, arrays: Arrays) -> dict[str, np.ndarray]:
        """The outputs of n examples, by name."""


def bound(
    model: Runner, inputs: Sequence[TensorSpec], outputs: Sequence[TensorSpec]
) -> Callable[[Arrays], dict[str, np.ndarray]]:
    """`model.run` with the names and shapes of `inputs` and `outputs` instead of the file's own.

    Raises:
        InputError: the file takes or gives other tensors.
    """
    taken = matched(inputs, model.inputs, model.name, "takes")
    given = matched(outputs, model.outputs, model.name, "gives")

    def run(arrays: Arrays) -> dict[str, np.ndarray]:
        found = model.run({own.name: arrays[spec.name] for spec, own in taken})
        return {spec.name: found[own.name].reshape(len(found[own.name]), *spec.shape) for spec, own in given}

    return run


@dataclass(frozen=True)
class NamedTensors:
    """Any tensors, as an input or an output has them."""

    specs: tuple[TensorSpec, ...]

    @classmethod
    def of(cls: type[Own], specs: Sequence[TensorSpec]) -> Own:
        """Those of a file without a bundle.

        Raises:
            InputError: one of a type that isn't of `DTYPES`.
        """
        for spec in specs:
            if spec.dtype not in DTYPES:
                raise InputError(f"{spec.name} is of the type {spec.dtype}; expected one of {', '.join(DTYPES)}.")
        return cls(tuple(specs))

    @property
    def tensors(self) -> tuple[TensorSpec, ...]:
        """All of them."""
        return self.specs

    def as_json(self) -> dict[str, Any]:
        """Each tensor's name, shape and type."""
        described = [{"name": spec.name, "shape": list(spec.shape), "dtype": spec.dtype} for spec in self.specs]
        return {"tensors": described}

    @classmethod
    def from_json(cls: type[Own], fields: Fields, folder: Path | None = None) -> Own:
        """As `as_json` wrote it; nothing is in the folder.

        Raises:
            InputError: none, one of another type or without a size, or two of one name.
        """
        found = []
        for item in fields.items("tensors"):
            shape, dtype = item.get("shape", list), item.get("dtype", str)
            if dtype not in DTYPES or not all(type(size) is int and size > 0 for size in shape):
                raise InputError(
                    f"{fields.file}: {item.place}expected positive sizes and a type of {', '.join(DTYPES)}."
                )
            found.append(TensorSpec(item.get("name", str), tuple(shape), dtype))
        if not found or len({spec.name for spec in found}) < len(found):
            raise InputError(f"{fields.file}: {fields.place}tensors: expected at least one, each name once.")
        return cls(tuple(found))


def packed(arrays: Arrays) -> tuple[list[Any], bytes]:
    """Arrays for another process: [name, dtype, shape] of each, and their bytes one after the other."""
    described = [[name, array.dtype.str, list(array.shape)] for name, array in arrays.items()]
    return described, b"".join(np.ascontiguousarray(array).tobytes() for array in arrays.values())


def unpacked(described: Sequence[Any], payload: bytes | memoryview) -> dict[str, np.ndarray]:
    """The arrays that `packed` packed, on the payload's memory."""
    found, start = {}, 0
    for name, dtype, shape in described:
        size = math.prod(shape) * np.dtype(dtype).itemsize
        found[name] = np.frombuffer(payload[start : start + size], dtype).reshape(shape)
        start += size
    return found


def listed(specs: Sequence[TensorSpec]) -> str:
    """Tensors for a message: `image [8, 8, 3], mask [8, 8]`."""
    return ", ".join(f"{spec.name} {list(spec.shape)}" for spec in specs) or "nothing"


def _plain(shape: tuple[int, ...]) -> tuple[int, ...]:
    return tuple(size for size in shape if size != 1)
