"""Examples of a data set: named columns, in memory or on disk."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol, cast

import numpy as np

# TensorFlow's CPU kernels want 64-byte aligned buffers; an array so aligned is shared with TensorFlow, not
# copied.
ALIGNMENT = 64
DIGESTED = 4096
"""Large examples of each part that a digest reads, evenly spread; a set may be far larger than memory."""


class Bad(NamedTuple):
    """A file that is no image, or a damaged one."""

    name: str
    reason: str
    stray: bool = False
    """Whether its name isn't an image's either: such files are skipped by default."""


class Files(Protocol):
    """What has the files of its images."""

    def encoded(self, row: int) -> bytes | None:
        """The bytes of the file of image `row`, None where there are no files."""

    def file(self, row: int) -> str | None:
        """The name of the file of image `row`, None where there are no files."""


@dataclass(frozen=True)
class Origin:
    """Where examples came from."""

    source: Files
    rows: np.ndarray
    """int [N], each example's row in the source."""


class Rows:
    """Some rows of a larger array, which stays where it is: the memory-mapped cache on disk.

    It takes the place of an array that would not fit into memory, and is indexed like one; what is asked for is copied.
    NumPy functions read all of it.
    """

    def __init__(self, store: np.ndarray, rows: np.ndarray) -> None:
        self.store, self.rows = store, rows
        self.shape, self.dtype = (len(rows), *store.shape[1:]), store.dtype
        self.ndim, self.size = store.ndim, int(np.prod(self.shape, dtype=np.int64))
        self.nbytes = self.size * store.itemsize

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, key: Any) -> np.ndarray:
        first, *rest = key if isinstance(key, tuple) else (key,)
        return np.asarray(self.store[(self.rows[first], *rest)])

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        if copy is False:
            raise ValueError("rows of a larger array can only be given as a copy")
        return self[:] if dtype is None else self[:].astype(dtype)


@dataclass(frozen=True)
class Examples:
    """Named columns of values; row i of all belongs together."""

    columns: Mapping[str, np.ndarray]
    """By name: [N, ...]. Past the RAM budget a `Rows`, which is indexed alike."""
    origin: Origin | None = None
    """Where the files are, for sources that have some."""

    def __len__(self) -> int:
        return len(next(iter(self.columns.values())))

    @property
    def images(self) -> np.ndarray:
        """Of data that has images: uint8 [N, H, W, C], raw 0-255 pixels."""
        return self.columns["image"]

    @property
    def labels(self) -> np.ndarray:
        """Of data that has classes: int32 [N], indices into the class names."""
        return self.columns["label"]

    def arrays(self, names: Iterable[str]) -> dict[str, np.ndarray]:
        """The columns called `names`."""
        return {name: self.columns[name] for name in names}

    def take(self, indices: np.ndarray) -> Examples:
        """The examples at `indices` (int [n]), copied."""
        return self._changed(indices, _copied)

    def view(self, indices: np.ndarray) -> Examples:
        """The examples at `indices` (int [n]); columns with more than one value per example are left where they are."""
        return self._changed(indices, lambda column, rows: (_copied if column.ndim == 1 else _viewed)(column, rows))

    def _changed(self, indices: np.ndarray, change: Callable[[np.ndarray, np.ndarray], np.ndarray]) -> Examples:
        origin = None if self.origin is None else Origin(self.origin.source, self.origin.rows[indices])
        return Examples({name: change(column, indices) for name, column in self.columns.items()}, origin)

    def encoded(self, index: int) -> bytes | None:
        """The bytes of the file that image `index` was decoded from; None where the source has no files.

        Raises:
            InputError: the file has changed, or can't be read any more.
        """
        return None if self.origin is None else self.origin.source.encoded(int(self.origin.rows[index]))

    def file(self, index: int) -> str | None:
        """The name of the file that image `index` was decoded from; None where the source has no files."""
        return None if self.origin is None else self.origin.source.file(int(self.origin.rows[index]))


def labelled(images: np.ndarray, labels: np.ndarray, origin: Origin | None = None) -> Examples:
    """Images and their classes; see `Examples.images` and `Examples.labels`."""
    return Examples({"image": images, "label": labels}, origin)


def digest(*parts: Examples) -> str:
    """SHA-256 over the parts, in their order: all of the columns with one value per example, and some of the others."""
    found = hashlib.sha256()
    for examples in parts:
        some = np.unique(np.linspace(0, len(examples) - 1, DIGESTED).astype(np.int64))
        for column in sorted(examples.columns.values(), key=lambda column: column.ndim > 1):
            found.update(np.ascontiguousarray(column if column.ndim == 1 else column[some]).data)
    return found.hexdigest()


def stored(column: np.ndarray | Rows) -> tuple[np.ndarray, np.ndarray | None]:
    """The array that holds `column`, and which of its rows they are (None: all)."""
    return (column.store, column.rows) if isinstance(column, Rows) else (column, None)


def aligned_empty(shape: tuple[int, ...], dtype: np.dtype | type = np.uint8) -> np.ndarray:
    """An uninitialized array whose memory TensorFlow can use as it is."""
    size = int(np.prod(shape, dtype=np.int64)) * np.dtype(dtype).itemsize
    buffer = np.empty(size + ALIGNMENT, np.uint8)
    start = -buffer.ctypes.data % ALIGNMENT
    return buffer[start : start + size].view(dtype).reshape(shape)


def shareable(array: np.ndarray) -> np.ndarray:
    """`array` itself where TensorFlow can use its memory as it is, else a copy that it can use."""
    if array.flags.c_contiguous and array.flags.writeable and array.ctypes.data % ALIGNMENT == 0:
        return array
    copy = aligned_empty(array.shape, array.dtype)
    copy[...] = array
    return copy


def _copied(column: np.ndarray, indices: np.ndarray) -> np.ndarray:
    store, rows = stored(column)
    copy = aligned_empty((len(indices), *store.shape[1:]), store.dtype)
    rows = indices if rows is None else rows[indices]
    np.take(store, rows, axis=0, out=copy, mode="clip")  # "raise" would buffer a whole copy
    return copy


def _viewed(column: np.ndarray, indices: np.ndarray) -> np.ndarray:
    store, rows = stored(column)
    return cast(np.ndarray, Rows(store, indices if rows is None else rows[indices]))
