"""Labelled images: `Examples`, in memory or on disk."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol, cast

import numpy as np

# TensorFlow's CPU kernels want 64-byte aligned buffers; an array so aligned is shared with TensorFlow, not
# copied.
ALIGNMENT = 64
DIGESTED = 4096
"""Images of each part that a digest reads, evenly spread; a set may be far larger than memory."""


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
    """Some rows of a larger array of images, which stays where it is: the memory-mapped cache on disk.

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
    """Images and their classes; row i of all belongs together."""

    images: np.ndarray
    """uint8 [N, H, W, C], raw 0-255 pixels; past the RAM budget a `Rows`, which is indexed alike."""
    labels: np.ndarray
    """int32 [N], indices into the class names."""
    origin: Origin | None = None
    """Where the files are, for sources that have some."""

    def __len__(self) -> int:
        return len(self.labels)

    def take(self, indices: np.ndarray) -> Examples:
        """The examples at `indices` (int [n]), copied."""
        store, rows = stored(self.images)
        images = aligned_empty((len(indices), *store.shape[1:]))
        rows = indices if rows is None else rows[indices]
        np.take(store, rows, axis=0, out=images, mode="clip")  # "raise" would buffer a whole copy
        return Examples(images, self.labels[indices], self._origin(indices))

    def view(self, indices: np.ndarray) -> Examples:
        """The examples at `indices` (int [n]), their images left where they are."""
        store, rows = stored(self.images)
        images = Rows(store, indices if rows is None else rows[indices])
        return Examples(cast(np.ndarray, images), self.labels[indices], self._origin(indices))

    def encoded(self, index: int) -> bytes | None:
        """The bytes of the file that image `index` was decoded from; None where the source has no files.

        Raises:
            InputError: the file has changed, or can't be read any more.
        """
        return None if self.origin is None else self.origin.source.encoded(int(self.origin.rows[index]))

    def file(self, index: int) -> str | None:
        """The name of the file that image `index` was decoded from; None where the source has no files."""
        return None if self.origin is None else self.origin.source.file(int(self.origin.rows[index]))

    def _origin(self, indices: np.ndarray) -> Origin | None:
        return None if self.origin is None else Origin(self.origin.source, self.origin.rows[indices])


def digest(*parts: Examples) -> str:
    """SHA-256 over all labels of the parts, in their order, and over some of the images."""
    found = hashlib.sha256()
    for examples in parts:
        found.update(np.ascontiguousarray(examples.labels).data)
        some = np.linspace(0, len(examples.labels) - 1, DIGESTED).astype(np.int64)
        found.update(np.ascontiguousarray(examples.images[np.unique(some)]).data)
    return found.hexdigest()


def stored(images: np.ndarray | Rows) -> tuple[np.ndarray, np.ndarray | None]:
    """The array that holds `images`, and which of its rows they are (None: all)."""
    return (images.store, images.rows) if isinstance(images, Rows) else (images, None)


def aligned_empty(shape: tuple[int, ...]) -> np.ndarray:
    """An uninitialized uint8 array whose memory TensorFlow can use as it is."""
    size = int(np.prod(shape, dtype=np.int64))
    buffer = np.empty(size + ALIGNMENT, np.uint8)
    start = -buffer.ctypes.data % ALIGNMENT
    return buffer[start : start + size].reshape(shape)


def shareable(images: np.ndarray) -> np.ndarray:
    """`images` itself where TensorFlow can use its memory as it is, else a copy that it can use."""
    if images.flags.c_contiguous and images.flags.writeable and images.ctypes.data % ALIGNMENT == 0:
        return images
    copy = aligned_empty(images.shape)
    copy[...] = images
    return copy
