"""Labelled pictures in memory: `Examples`, and the three parts of a data set, `Splits`."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

# TensorFlow's CPU kernels want 64-byte aligned buffers; an array so aligned is shared with TensorFlow, not
# copied.
ALIGNMENT = 64


@dataclass(frozen=True)
class Examples:
    """Pictures and their classes; row i of both belongs together."""

    images: np.ndarray
    """uint8 [N, H, W, C], raw 0-255 pixels."""
    labels: np.ndarray
    """int32 [N], indices into the class names."""

    def __len__(self) -> int:
        return len(self.labels)

    def take(self, indices: np.ndarray) -> Examples:
        """The examples at `indices` (int [n]), copied."""
        images = aligned_empty((len(indices), *self.images.shape[1:]))
        np.take(self.images, indices, axis=0, out=images, mode="clip")  # "raise" would buffer a whole copy
        return Examples(images, self.labels[indices])


@dataclass(frozen=True)
class Splits:
    """A data set in its three parts. Test pictures measure once; nothing is chosen by looking at them."""

    train: Examples
    validation: Examples
    test: Examples
    class_names: tuple[str, ...]
    name: str


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
