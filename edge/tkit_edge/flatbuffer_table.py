"""FlatBuffers, bounds-checked: the bytes of a file, and the tables in them.

Source: flatbuffers.dev/internals.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import Any

import numpy as np

from tkit_edge.errors import InputError

# A FlatBuffer may refer to one part any number of times, so a small file can describe an enormous graph. Ten
# thousand tensors and operators with long names stay under a third of this.
MAX_DESCRIPTION_BYTES = 16 * 2**20
TABLE_COST = 64  # bytes charged for a table beside its strings and lists


class File:
    """The bytes, and how much of them may still be turned into objects."""

    def __init__(self, data: bytes, name: str) -> None:
        self.data = memoryview(data)
        self.name = name
        self.left = MAX_DESCRIPTION_BYTES

    def damaged(self, what: str) -> InputError:
        """The error that says what is damaged."""
        return InputError(f"{self.name} is a damaged .tflite file: {what}. Copy or export it again.")

    def span(self, start: int, length: int) -> memoryview:
        """Some bytes; InputError where they lie outside."""
        if start < 0 or start + length > len(self.data):
            raise self.damaged(f"it refers to bytes {start} to {start + length} of {len(self.data)}")
        return self.data[start : start + length]

    def charge(self, size: int) -> None:
        """Counts what becomes an object; InputError past the limit."""
        self.left -= size
        if self.left < 0:
            raise self.damaged("it describes a larger graph than any model has")

    def number(self, kind: str, position: int) -> Any:
        """A number, of a kind of `struct`, little-endian."""
        return struct.unpack("<" + kind, self.span(position, struct.calcsize("<" + kind)))[0]


class Table:
    """One FlatBuffers table; a field that isn't there has its default."""

    def __init__(self, file: File, position: int) -> None:
        file.charge(TABLE_COST)
        self.file = file
        self.position = position
        self.vtable = position - file.number("i", position)
        self.vtable_size = file.number("H", self.vtable)

    def field(self, index: int) -> int | None:
        """Where a field's own bytes lie."""
        slot = 4 + 2 * index
        if slot + 2 > self.vtable_size:
            return None
        offset = self.file.number("H", self.vtable + slot)
        return self.position + offset if offset else None

    def _follow(self, index: int) -> int | None:
        field = self.field(index)
        return None if field is None else field + self.file.number("I", field)

    def number(self, index: int, kind: str, default: Any) -> Any:
        """A field that is a number, of a kind of `struct`."""
        field = self.field(index)
        return default if field is None else self.file.number(kind, field)

    def table(self, index: int) -> Table | None:
        """A field that is a table."""
        position = self._follow(index)
        return None if position is None else Table(self.file, position)

    def vector(self, index: int, item_size: int) -> tuple[int, int]:
        """Where a vector's items start, and their number."""
        position = self._follow(index)
        if position is None:
            return 0, 0
        count = self.file.number("I", position)
        self.file.span(position + 4, count * item_size)
        return position + 4, count

    def array(self, index: int, dtype: str) -> np.ndarray:
        """A vector of numbers as a view of the file."""
        item_size = np.dtype(dtype).itemsize
        start, count = self.vector(index, item_size)
        return np.frombuffer(b"" if not count else self.file.span(start, count * item_size), dtype)

    def numbers(self, index: int) -> tuple[int, ...]:
        """A vector of int32."""
        values = self.array(index, "<i4")
        self.file.charge(values.nbytes)
        return tuple(values.tolist())

    def text(self, index: int) -> str:
        """A field that is a string."""
        start, count = self.vector(index, 1)
        self.file.charge(count)
        return bytes(self.file.span(start, count)).decode("utf-8", "replace")

    def positions(self, index: int) -> np.ndarray:
        """Where the tables of a vector lie; nothing of them is read yet."""
        start, count = self.vector(index, 4)
        return start + 4 * np.arange(count, dtype=np.int64) + self.array(index, "<u4")

    def tables(self, index: int) -> Iterator[Table]:
        """The tables of a vector."""
        for position in self.positions(index):
            yield Table(self.file, int(position))
