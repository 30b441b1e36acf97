"""Test files, and the interval of a measured share."""

from __future__ import annotations

import math
from pathlib import Path
from typing import NamedTuple

import numpy as np

from tkit_edge import files
from tkit_edge.errors import InputError

Z95 = 1.959964  # the normal distribution's 97.5 % point
NO_CLASS = -1
"""What `top1` gives where a model gave no class."""


class Interval(NamedTuple):
    """A 95 % interval, as shares."""

    low: float
    high: float


def read_test(path: Path) -> tuple[np.ndarray, np.ndarray]:
    """A test file's images, uint8 [n, height, width, channels], and labels, int32 [n].

    Raises:
        InputError: no .npz file with `images` and `labels` of these types, one for one, at least one.
    """
    arrays = files.read_npz(path, {"images": (np.uint8, 4), "labels": (np.int32, 1)})
    images, labels = arrays["images"], arrays["labels"]
    if not len(images) or len(images) != len(labels):
        raise InputError(f"{path}: expected a label for each image, received {len(images)} and {len(labels)}.")
    return images, labels


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
