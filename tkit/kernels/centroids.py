"""k-means on a kernel's weights, and the clusters of a trained layer."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import keras
import numpy as np

from tkit.kernels.scales import LARGEST_CODE, code_scales, rounded_up
from tkit.kernels.viewed import kernel_of
from tkit.promises import Clusters

ITERATIONS = 100
ROUNDS = 6
Start = Literal["kmeans++", "density", "linear"]
_SHARES = np.linspace(0.3, 1.0, 22, dtype=np.float32)


def codebook(
    kernels: Sequence[np.ndarray],
    shapes: Sequence[tuple[int, ...]],
    clusters: int,
    start: Start,
    *,
    zero: bool,
    seed: int,
) -> tuple[np.ndarray, list[np.ndarray]]:
    """The centroids that all kernels share, ascending, and the scales of each, by alternating minimization of the
    error.

    Args:
        kernels: float32, as Keras has them.
        shapes: the shapes of their scales.
        clusters: at most; fewer if there are fewer distinct weights.
        start: how the centroids are initialized.
        zero: whether one centroid is 0.
        seed: for kmeans++.
    """
    scales = [channel_scales(kernel, shape) for kernel, shape in zip(kernels, shapes, strict=True)]
    for _ in range(ROUNDS):
        pairs = zip(kernels, scales, strict=True)
        values = np.concatenate([(kernel / scale).ravel() for kernel, scale in pairs])
        centroids = kmeans(values, clusters, start, zero=zero, seed=seed)
        centroids /= np.abs(centroids).max()
        scales = [_best(kernel, shape, centroids) for kernel, shape in zip(kernels, shapes, strict=True)]
    return centroids, scales


def channel_scales(kernel: np.ndarray, shape: tuple[int, ...], share: float = 1.0) -> np.ndarray:
    """Scales of `shape`: a share of each channel's largest weight, such that the scale of an int8 code has 4 bits."""
    return LARGEST_CODE * rounded_up(code_scales(kernel, shape).numpy() * share)


def _best(kernel: np.ndarray, shape: tuple[int, ...], centroids: np.ndarray) -> np.ndarray:
    """The scales of `shape` that bring the centroids nearest to each channel's weights."""
    axes = tuple(axis for axis, size in enumerate(shape) if size == 1)
    between = (centroids[1:] + centroids[:-1]) / 2

    def error(scales: np.ndarray) -> np.ndarray:
        shared = centroids[np.searchsorted(between, kernel / scales)]
        return np.sum((shared * scales - kernel) ** 2, axis=axes, keepdims=True)

    choices = np.stack([channel_scales(kernel, shape, share) for share in _SHARES])
    best = np.argmin([error(scales) for scales in choices], axis=0)
    return np.take_along_axis(choices, best[None], axis=0)[0]


def kmeans(values: np.ndarray, clusters: int, start: Start, *, zero: bool, seed: int) -> np.ndarray:
    """Centroids of values, ascending; float32 [at most `clusters`].

    Args:
        values: float32 [n].
        clusters: at most; fewer if there are fewer distinct values.
        start: how the centroids are initialized (Arthur and Vassilvitskii 2007 for kmeans++).
        zero: whether one centroid is fixed at 0, for pruned weights; the others cluster the other weights.
        seed: for kmeans++.
    """
    points, weights = np.unique(values[values != 0] if zero else values, return_counts=True)
    wanted = min(clusters - zero, len(points))
    if not wanted:
        return np.zeros(1, np.float32)
    points, weights = points.astype(np.float64), weights.astype(np.float64)
    found = _begin(points, weights, wanted, start, np.random.default_rng(seed))
    # In one dimension a cluster is an interval: sums over it are differences of running sums.
    total = np.concatenate([[0.0], np.cumsum(weights)])
    moment = np.concatenate([[0.0], np.cumsum(weights * points)])
    for _ in range(ITERATIONS):
        edges = np.searchsorted(points, (found[1:] + found[:-1]) / 2)
        bounds = np.concatenate([[0], edges, [len(points)]])
        counts = total[bounds[1:]] - total[bounds[:-1]]
        means = (moment[bounds[1:]] - moment[bounds[:-1]]) / np.maximum(counts, 1e-12)
        moved = np.sort(np.where(counts > 0, means, found))
        if np.allclose(moved, found, rtol=0, atol=1e-7):
            break
        found = moved
    return np.sort(np.concatenate([found, [0.0] * zero])).astype(np.float32)


def _begin(
    points: np.ndarray, weights: np.ndarray, clusters: int, start: str, random: np.random.Generator
) -> np.ndarray:
    if start == "linear":
        return np.linspace(points[0], points[-1], clusters)
    if start == "density":
        shares = (np.arange(clusters) + 0.5) / clusters
        return points[np.searchsorted(np.cumsum(weights) / weights.sum(), shares)]
    chosen = [random.choice(points, p=weights / weights.sum())]
    distance = (points - chosen[0]) ** 2
    for _ in range(clusters - 1):
        shares = weights * distance
        chosen.append(random.choice(points, p=shares / shares.sum()))
        distance = np.minimum(distance, (points - chosen[-1]) ** 2)
    return np.sort(np.array(chosen))


def clusters_of(layer: keras.layers.Layer) -> Clusters:
    """The centroids that a viewed layer's weights use, and its scales."""
    clustered = layer.views["clustered"]
    scales = clustered.scales.numpy()
    used = np.unique(np.asarray(kernel_of(layer)) / scales)
    centroids = np.sort(clustered.centroids.numpy())
    nearest = np.abs(used[:, None] - centroids[None]).argmin(axis=1)
    return Clusters(
        centroids=tuple(centroids[np.unique(nearest)].tolist()),
        scales=tuple(scales.ravel().tolist()),
        fixed=clustered.fixed,
    )
