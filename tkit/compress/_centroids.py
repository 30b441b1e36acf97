"""k-means of a kernel's weights, and what clusters a trained layer has."""

from __future__ import annotations

from typing import Literal

import keras
import numpy as np

from tkit.compress import Clusters
from tkit_edge.errors import InputError

ITERATIONS = 100


def kmeans(
    values: np.ndarray, clusters: int, start: Literal["kmeans++", "density", "linear"], *, zero: bool, seed: int
) -> np.ndarray:
    """Centroids of values, rising; float32 [clusters].

    Args:
        values: float32 [n].
        clusters: at most the number of distinct values.
        start: where the centroids begin (Arthur and Vassilvitskii 2007 for kmeans++).
        zero: whether one centroid is 0 and stays, which pruned weights have; the others share the other weights.
        seed: of kmeans++.

    Raises:
        InputError: fewer distinct values than clusters.
    """
    points, weights = np.unique(values[values != 0] if zero else values, return_counts=True)
    wanted = clusters - zero
    if len(points) < wanted:
        raise InputError(f"A kernel has {len(points) + zero} distinct weights, fewer than {clusters} clusters.")
    points, weights = points.astype(np.float64), weights.astype(np.float64)
    found = _begin(points, weights, wanted, start, np.random.default_rng(seed))
    for _ in range(ITERATIONS):
        # In one dimension a cluster is an interval: sums over it are differences of running sums.
        edges = np.searchsorted(points, (found[1:] + found[:-1]) / 2)
        bounds = np.concatenate([[0], edges, [len(points)]])
        total = np.concatenate([[0.0], np.cumsum(weights)])
        moment = np.concatenate([[0.0], np.cumsum(weights * points)])
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
    used = np.unique(np.asarray(layer.kernel) / scales)
    centroids = np.sort(clustered.centroids.numpy())
    nearest = np.abs(used[:, None] - centroids[None]).argmin(axis=1)
    return Clusters(centroids=tuple(centroids[np.unique(nearest)].tolist()), scales=tuple(scales.ravel().tolist()))
