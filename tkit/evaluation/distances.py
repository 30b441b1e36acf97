"""How far two sets of images are apart, from their features in one space: float64 [n, d] arrays in, numbers out."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

MOST_FRECHET = 10_000
"""Samples of each set that `frechet` is worth being given."""
MOST_PAIRED = 5_000
"""The same of `kernel` and `precision_recall`, whose work is of the square."""
NEIGHBOURS = 3
"""The neighbour whose distance is a sample's radius; Kynkaanniemi et al. found 3 robust."""
COVERED = 0.2
"""A class is covered from this part of its share among the real images."""
_CHUNK = 256  # rows of a matrix of distances that are in memory at once


class Gaussian(NamedTuple):
    """The mean [d] of features and the symmetric root [d, d] of their covariance."""

    mean: np.ndarray
    root: np.ndarray


def gaussian(features: np.ndarray) -> Gaussian:
    """The normal distribution with the mean and the unbiased covariance of features [n, d]; n = 1 has none."""
    mean = features.mean(axis=0)
    centred = features - mean
    values, vectors = np.linalg.eigh(centred.T @ centred / max(len(features) - 1, 1))
    # Rounding makes zeros slightly negative.
    return Gaussian(mean, (vectors * np.sqrt(np.maximum(values, 0.0))) @ vectors.T)


def frechet(one: Gaussian, other: Gaussian) -> float:
    """The squared Frechet distance of two normal distributions (Dowson and Landau 1982).

    |m1 - m2|^2 + tr(C1 + C2 - 2 (C1 C2)^(1/2)). The last trace is the sum of the singular values of C1^(1/2) C2^(1/2),
    which is real and exact where covariances are singular; the root of C1 C2 itself, as often computed, is neither.
    It grows as samples get fewer, so compare sets of one size only.
    """
    shared = np.linalg.svd(one.root @ other.root, compute_uv=False).sum()
    spread = np.sum(one.root**2) + np.sum(other.root**2)
    return float(max(np.sum((one.mean - other.mean) ** 2) + spread - 2 * shared, 0.0))


def kernel(one: np.ndarray, other: np.ndarray) -> float:
    """The squared maximum mean discrepancy with the kernel (x.y / d + 1)^3, unbiased (Binkowski et al. 2018).

    Its expectation doesn't depend on the number of samples, and is 0 for sets of one distribution: single values are
    below 0 too.
    """
    within = _kernel_mean(one, one, same=True) + _kernel_mean(other, other, same=True)
    return within - 2 * _kernel_mean(one, other, same=False)


def precision_recall(real: np.ndarray, made: np.ndarray) -> tuple[float, float]:
    """The share of made samples that lie among the real ones, and of real ones among those made.

    A sample lies among others if it is within one's distance to its third nearest neighbour (Kynkaanniemi et al. 2019).
    Precision falls as samples get unlike real ones, recall as they get less varied.
    """
    return _share_among(made, real), _share_among(real, made)


def shares(labels: np.ndarray, classes: int) -> np.ndarray:
    """Each class's part of the labels, float64 [classes]."""
    counts = np.bincount(labels, minlength=classes)
    return counts / counts.sum()


def covered(made: np.ndarray, real: np.ndarray) -> np.ndarray:
    """Which classes get a fair part of what is made: at least a fifth of their share among the real images.

    Of even classes that is a fifth of an even share. Their number is that of the modes covered, which others count from
    the first sample on (Metz et al. 2017): a single image may be misjudged.

    Args:
        made: shares, [classes].
        real: likewise; a class that it doesn't have isn't covered.
    """
    return (made >= COVERED * real) & (real > 0)


def _kernel_mean(one: np.ndarray, other: np.ndarray, *, same: bool) -> float:
    """The kernel's mean over all pairs, without those of a sample with itself where both sets are the `same`."""
    total, width = 0.0, one.shape[1]
    for start in range(0, len(one), _CHUNK):
        total += float(np.sum((one[start : start + _CHUNK] @ other.T / width + 1.0) ** 3))
    if not same:
        return total / (len(one) * len(other))
    total -= float(np.sum((np.sum(one**2, axis=1) / width + 1.0) ** 3))
    return total / max(len(one) * (len(one) - 1), 1)


def _share_among(samples: np.ndarray, others: np.ndarray) -> float:
    """The share of samples within the radius of one of the others at least."""
    order = min(NEIGHBOURS, len(others) - 1)  # the nearest of all is the sample itself
    # Copies: a view would keep each whole chunk in memory.
    radii = np.concatenate([np.partition(part, order, axis=1)[:, order].copy() for part in _distances(others, others)])
    return float(np.mean(np.concatenate([(part <= radii).any(axis=1) for part in _distances(samples, others)])))


def _distances(one: np.ndarray, other: np.ndarray) -> Iterator[np.ndarray]:
    """Squared distances [rows, len(other)] of one chunk of rows after the other."""
    squares = np.sum(other**2, axis=1)
    for start in range(0, len(one), _CHUNK):
        rows = one[start : start + _CHUNK]
        yield np.maximum(np.sum(rows**2, axis=1)[:, None] + squares - 2 * rows @ other.T, 0.0)
