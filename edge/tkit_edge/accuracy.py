"""Top-1 classes, and the interval of a measured share."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

Z95 = 1.959964  # the normal distribution's 97.5 % point
NO_CLASS = -1
"""What `top1` gives where a model gave no class."""


class Interval(NamedTuple):
    """A 95 % interval, as shares."""

    low: float
    high: float


def top1(outputs: np.ndarray) -> np.ndarray:
    """The likeliest class of each row of outputs [n, classes], int [n]; NO_CLASS where a row is not finite.

    `argmax` takes a NaN for the largest value, so that a broken model is right about class 0.
    """
    return np.where(np.isfinite(outputs).all(axis=1), outputs.argmax(axis=1), NO_CLASS)


def wilson(successes: int, total: int) -> Interval:
    """The 95 % interval of a share (Wilson 1927)."""
    share, z2 = successes / total, Z95**2
    centre = (share + z2 / (2 * total)) / (1 + z2 / total)
    half = Z95 / (1 + z2 / total) * math.sqrt(share * (1 - share) / total + z2 / (4 * total**2))
    return Interval(max(0.0, centre - half), min(1.0, centre + half))
