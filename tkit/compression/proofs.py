"""Verifies a compressed model's promises in the exported flatbuffer, layer by layer.

A kernel in the file is the layer's kernel with its channels multiplied by the converter's factors, rounded to the
file's type: zeros stay zeros, and weights that share a value still share one within their channel.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from functools import partial
from typing import NamedTuple

import keras
import numpy as np

from tkit.conversion.config import Format
from tkit.kernels.exported import SCALED_INPUTS, FileKernel, kernels
from tkit.promises import Clusters, Kept
from tkit_edge import flatbuffer
from tkit_edge.graph import Graph, unpacked_from

_ENDS = ("QUANTIZE", "DEQUANTIZE")
NO_KERNEL = "no such kernel"
TOLERANCE = 1e-5
"""Rounding error of folding and storing, between a float weight and its centroid, as a share of the scale."""
_CODES = dict.fromkeys(("int8", "int4", "int16"), (0.0, 0.51))
_ROUNDING = {"float32": (TOLERANCE, 0.0), "float16": (1e-3, 2.0**-24), **_CODES}
"""Largest rounding error of a type: as a share of a channel's largest weight, and absolute (in codes)."""
_ROUNDS = 10


class Proof(NamedTuple):
    """One promise about one layer, and what the file contains."""

    layer: str
    promise: str
    found: str
    holds: bool


def proofs(data: bytes, fmt: Format, kept: Kept, model: keras.Model) -> list[Proof]:
    """Whether a .tflite file keeps the promises of `kept`.

    Args:
        data: the file.
        fmt: its format.
        kept: the promises of `model`.
        model: the model that was exported; its kernels identify those of the file.
    """
    graph = flatbuffer.read(data, "the file")
    found = kernels(graph, model)
    return [*_of_kernels(found, fmt, kept), *_integers(graph, found, fmt, kept)]


def _of_kernels(found: dict[str, list[FileKernel]], fmt: Format, kept: Kept) -> Iterator[Proof]:
    def proof(layer: str, promise: str, judge: Callable[[FileKernel], tuple[str, bool]]) -> Proof:
        verdicts = [judge(kernel) for kernel in found.get(layer, ())] or [(NO_KERNEL, False)]
        return Proof(layer, promise, *min(verdicts, key=lambda verdict: verdict[1]))

    for layer, shape in kept.shapes.items():
        yield proof(layer, f"{math.prod(shape):,} weights", partial(_size, math.prod(shape)))
    for layer, share in kept.pruned.items():
        yield proof(layer, f"{share:.1%} zeros", partial(_zeros, share))
    quantized = kept.quantized if fmt == "int8" else None
    for layer, clusters in kept.clustered.items():
        judge = partial(_values, clusters) if quantized is None else partial(_codes, clusters)
        yield proof(layer, f"at most {len(clusters.centroids)} values", judge)
    for layer in quantized.int4 if quantized else ():
        yield proof(layer, "4-bit weights", lambda kernel: (kernel.tensor.dtype, kernel.tensor.dtype == "int4"))


def _size(size: int, kernel: FileKernel) -> tuple[str, bool]:
    return f"{kernel.tensor.size:,}", kernel.tensor.size == size


def _zeros(share: float, kernel: FileKernel) -> tuple[str, bool]:
    found = float(np.mean(kernel.matrix == 0))
    lost = np.count_nonzero(kernel.matrix[kernel.ours == 0])
    return f"{found:.1%}, {lost:,} of the layer's own lost", found >= share - 1e-9 and not lost


def _codes(clusters: Clusters, kernel: FileKernel) -> tuple[str, bool]:
    """For a file that was quantized with the clusters; layers that stay in float have values."""
    if kernel.tensor.dtype not in ("int8", "int4"):
        return _values(clusters, kernel)
    codes = len(np.unique(kernel.matrix))
    return f"{codes} codes", codes <= len(clusters.centroids)


def _values(clusters: Clusters, kernel: FileKernel) -> tuple[str, bool]:
    """The layer's weights are centroids times scales, and the file's are those times factors."""
    scales, centroids = (np.asarray(item, np.float32) for item in (clusters.scales, clusters.centroids))
    weights = np.divide(kernel.ours, scales, out=np.zeros_like(kernel.ours), where=scales != 0)
    nearest = centroids[np.searchsorted((centroids[1:] + centroids[:-1]) / 2, weights)]
    other = int(np.sum(np.abs(weights - nearest) > TOLERANCE)) + _not_ours(kernel)
    return f"{other:,} weights of other values" if other else "nothing else", not other


def _not_ours(kernel: FileKernel) -> int:
    """Number of weights that aren't the layer's times one factor per channel (and per input, where the converter
    scales it).

    Up to the rounding of the file's type.
    """
    theirs, ours = kernel.matrix.astype(np.float64), kernel.ours.astype(np.float64)
    share, least = _ROUNDING[kernel.tensor.dtype]
    tolerance = share * np.abs(theirs).max(axis=0) + least
    found = _off(theirs, ours, tolerance)
    if found and kernel.operator in SCALED_INPUTS:
        rows = _row_factors(theirs, ours)
        found = min(found, _off(theirs, ours * rows, 3 * tolerance))  # the rows' factors are estimates
    return found


def _off(theirs: np.ndarray, ours: np.ndarray, tolerance: np.ndarray) -> int:
    """Number of weights of [inputs, channels] that differ from ours times a factor by more than their channel's
    tolerance."""
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio, slack = theirs / ours, tolerance / np.abs(ours)
        low = np.where(ours != 0, ratio - slack, -np.inf).max(axis=0)
        high = np.where(ours != 0, ratio + slack, np.inf).min(axis=0)
        middle = (low + high) / 2
    factors = np.where((low <= high) & np.isfinite(low), middle, _fitted(theirs, ours, axis=0)[0])
    return int(np.sum(np.abs(theirs - factors * ours) > tolerance * (1 + 1e-9)))


def _row_factors(theirs: np.ndarray, ours: np.ndarray) -> np.ndarray:
    """Factors [inputs, 1] that bring ours, times one factor per channel, nearest to theirs: alternating least squares.

    Starts from one channel, goes to the inputs that it has weights for, to their other channels, and so on: exact
    factors are found at once, where a start from ones may take thousands of rounds.
    """
    rows, columns = np.zeros((len(ours), 1)), np.zeros((1, theirs.shape[1]))
    for column in np.flatnonzero(np.any((theirs != 0) & (ours != 0), axis=0)):
        reached = np.count_nonzero(columns)
        if not columns[0, column]:
            columns[0, column] = 1.0
        while np.count_nonzero(columns) > reached:
            reached = np.count_nonzero(columns)
            rows = _fitted(theirs, ours * columns, axis=1)
            columns = _fitted(theirs, ours * rows, axis=0)
    for _ in range(_ROUNDS):
        columns = _fitted(theirs, ours * rows, axis=0)
        rows = _fitted(theirs, ours * columns, axis=1)
    return rows


def _fitted(theirs: np.ndarray, ours: np.ndarray, axis: int) -> np.ndarray:
    """The factor of each row or column of ours that brings it nearest to theirs."""
    squares = np.sum(ours**2, axis=axis, keepdims=True)
    products = np.sum(theirs * ours, axis=axis, keepdims=True)
    return np.divide(products, squares, out=np.zeros_like(squares), where=squares > 0)


def _integers(graph: Graph, found: dict[str, list[FileKernel]], fmt: Format, kept: Kept) -> Iterator[Proof]:
    if kept.quantized is None or fmt != "int8":
        return
    left = (*kept.quantized.float_layers, *kept.quantized.in_float)
    rounded = {kernel.number for layer, owned in found.items() if layer in kept.quantized.scales for kernel in owned}
    sources = unpacked_from(graph)
    strays = []
    for operator in graph.operators:
        inside = [sources.get(index, index) for index in (*operator.inputs, *operator.outputs) if index >= 0]
        if operator.name in _ENDS or all(graph.tensors[index].dtype != "float32" for index in inside):
            continue
        # An operator that only moves values after a float layer is in float too, under any name.
        if not left or rounded & {*inside}:
            strays.append(f"{operator.name} ({graph.tensors[operator.outputs[0]].name}) in float32")
    promise = f"integers only, except for {', '.join(left)}" if left else "integers only"
    yield Proof("all operators", promise, ", ".join(strays) or "nothing else", not strays)
