"""Constants that a .tflite file stores without their zeros, made whole.

Dimensions are stored one after the other, each dense or as compressed sparse rows; a dimension may be cut into blocks.

Source: the format of SparsityParameters in TensorFlow Lite's schema.fbs (version 3); Kjolstad et al. 2017, "The Tensor
Algebra Compiler".
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from tkit_edge.errors import InputError

MAX_DENSE_BYTES = 2**28


class Level(NamedTuple):
    """One stored dimension."""

    size: int
    """Of a dense dimension; 0 for a sparse one."""
    segments: np.ndarray | None
    """Of a sparse one: where each row's indices begin, and the last one's end."""
    indices: np.ndarray | None
    """The indices that are stored, row by row."""


class Sparsity(NamedTuple):
    """How a tensor's stored values lie in its shape."""

    order: tuple[int, ...]
    """The dimension of each level; those from the rank on are the insides of blocks."""
    blocks: tuple[int, ...]
    """The dimension that each block cuts."""
    levels: tuple[Level, ...]


def dense(stored: np.ndarray, shape: tuple[int, ...], sparsity: Sparsity, name: str) -> np.ndarray:
    """The tensor with its zeros.

    Args:
        stored: the values that the file holds, [n]; an odd 4-bit one may be followed by padding.
        shape: the tensor's.
        sparsity: where they lie.
        name: the tensor's, for errors.

    Raises:
        InputError: the description doesn't fit the shape or the values, or is of more than 256 MiB.
    """
    rank, order, blocks, levels = len(shape), sparsity.order, sparsity.blocks, sparsity.levels
    fits = sorted(order) == list(range(len(levels))) and len(levels) == rank + len(blocks)
    if not fits or len(set(blocks)) < len(blocks) or any(not 0 <= axis < rank for axis in blocks):
        raise _damaged(name, f"{len(levels)} levels for {rank} dimensions and {len(blocks)} blocks")
    if math.prod(shape) * stored.itemsize > MAX_DENSE_BYTES:
        raise _damaged(name, f"{math.prod(shape):,} values, more than any kernel has")
    sizes = [*shape, *(0 for _ in blocks)]
    for number, axis in enumerate(blocks, rank):
        sizes[number] = levels[order.index(number)].size
        if sizes[number] < 1 or shape[axis] % sizes[number]:
            raise _damaged(name, f"blocks of {sizes[number]} in a dimension of {shape[axis]}")
        sizes[axis] = shape[axis] // sizes[number]
    # Each place is followed by a value or by a segment, so that the file's own size limits their number.
    most = max([len(stored), *(len(level.segments) for level in levels if level.segments is not None)])
    places = np.zeros((len(levels), 1), np.int64)  # one column a stored place, one row a dimension
    for axis, level in zip(order, levels):
        if level.segments is None or level.indices is None:
            parents, index = _all(places.shape[1], level.size, most, sizes[axis], name)
        else:
            parents, index = _some(places.shape[1], level.segments, level.indices, sizes[axis], name)
        places = places[:, parents]
        places[axis] = index
    count = places.shape[1]
    if not count <= len(stored) <= count + 1:
        raise _damaged(name, f"{len(stored)} values for {count} places")
    for number, axis in enumerate(blocks, rank):
        places[axis] = places[axis] * sizes[number] + places[number]
    whole = np.zeros(shape, stored.dtype)
    whole[tuple(places[:rank])] = stored[:count]
    return whole


def _all(rows: int, size: int, most: int, expected: int, name: str) -> tuple[np.ndarray, np.ndarray]:
    """The row and the index of each place of a dense dimension."""
    if size != expected or rows * size > most:
        raise _damaged(name, f"a dense level of {size} for a dimension of {expected}, in {rows} rows")
    return np.repeat(np.arange(rows), size), np.tile(np.arange(size), rows)


def _some(rows: int, segments: np.ndarray, indices: np.ndarray, size: int, name: str) -> tuple[np.ndarray, np.ndarray]:
    """The same of a sparse one."""
    ends = segments.astype(np.int64)
    counts = ends[1:] - ends[:-1]
    index = indices.astype(np.int64)
    if len(counts) != rows or ends[0] != 0 or counts.min(initial=0) < 0 or ends[-1] != len(index):
        raise _damaged(name, f"segments that don't part {len(index)} indices into {rows} rows")
    if len(index) and not 0 <= index.min() <= index.max() < size:
        raise _damaged(name, f"indices from {index.min()} to {index.max()} in a dimension of {size}")
    return np.repeat(np.arange(rows), counts), index


def _damaged(name: str, what: str) -> InputError:
    return InputError(f"A damaged .tflite file: the sparse tensor {name!r} has {what}. Copy or export it again.")
