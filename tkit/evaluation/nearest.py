"""Nearest training images: whether a generator repeats what it was trained on.

Distances are root mean squares of pixel differences, of 255. Smooth images are near to many others, so a distance tells
something only beside that of held-out images, which nobody can have learned by heart.

Source: Meehan et al. 2020, "A non-parametric test to detect data-copying in generative models" (held-out images as the
measure of how near is too near); the share of samples below a quantile in the place of their rank sum, so that a few
copies among many other samples are found.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from tkit_edge.accuracy import Interval, wilson
from tkit_edge.text import counted

NEAR = 0.05
"""The share of held-out images that are called near to a training image: the nearest ones."""
_CHUNK = 1024
"""Training images that are compared at once."""


@dataclass(frozen=True)
class Nearest:
    """The nearest training image of each of n images."""

    rows: np.ndarray
    """int [n], its row."""
    distances: np.ndarray
    """float64 [n], from 0 to 255."""

    @classmethod
    def among(cls, images: np.ndarray, training: np.ndarray) -> Nearest:
        """Those of images, uint8 [n, height, width, channels], among training images, likewise."""
        own = _flat(images)
        best, rows = np.full(len(own), np.inf, np.float32), np.zeros(len(own), np.int64)
        for start in range(0, len(training), _CHUNK):
            others = _flat(training[start : start + _CHUNK])
            squared = np.sum(others**2, axis=1) - 2 * own @ others.T  # and the same for all others: own squared
            found = squared.argmin(axis=1)
            least = squared[np.arange(len(own)), found]
            rows, best = np.where(least < best, start + found, rows), np.minimum(least, best)
        # Anew, because the small difference of two large float32 numbers is not exact.
        apart = own.astype(np.float64) - _flat(training[rows])
        return cls(rows, 255 * np.sqrt(np.mean(apart**2, axis=1)))


@dataclass(frozen=True)
class Memorization:
    """How near samples are to training images, beside real images that were held out."""

    samples: Nearest
    held_out: Nearest
    images: np.ndarray
    """The samples' nearest training images, uint8 [n, height, width, channels]."""
    files: tuple[str | None, ...]
    """The files of these, where there are some."""

    @classmethod
    def of(
        cls, pixels: np.ndarray, held_out: np.ndarray, training: np.ndarray, file: Callable[[int], str | None]
    ) -> Memorization:
        """That of samples, uint8 [n, height, width, channels].

        Args:
            pixels: the samples.
            held_out: real images that the generator has not seen, likewise.
            training: those that it was trained on, likewise.
            file: the file of a row of them.
        """
        nearest = Nearest.among(pixels, training)
        files = tuple(file(int(row)) for row in nearest.rows)
        return cls(nearest, Nearest.among(held_out, training), np.asarray(training[nearest.rows]), files)

    def pairs(self, pixels: np.ndarray, columns: int | None) -> tuple[np.ndarray, int]:
        """Each sample with its nearest training image on its right, and the columns of a grid that shows the pairs.

        Args:
            pixels: the samples.
            columns: of a grid of the samples alone; None: nearly square.
        """
        paired = np.stack([pixels, self.images], axis=1).reshape(-1, *pixels.shape[1:])
        return paired, 2 * (columns or math.ceil(math.sqrt(len(pixels) / 2)))

    @property
    def near(self) -> int:
        """The samples that are nearer to a training image than all but `NEAR` of the held-out images are."""
        return int(np.sum(self.samples.distances < np.quantile(self.held_out.distances, NEAR)))

    @property
    def interval(self) -> Interval:
        """Of the share of `near` samples, 95 %."""
        return wilson(self.near, len(self.samples.rows))

    @property
    def memorized(self) -> bool:
        """Whether more samples are near than chance explains."""
        return self.interval.low > NEAR

    def line(self) -> str:
        """What was found, in a sentence or two."""
        count = len(self.samples.rows)
        medians = [float(np.median(found.distances)) for found in (self.samples, self.held_out)]
        found = (
            f"nearest training images: median distance {medians[0]:.1f} of 255; of "
            f"{counted(len(self.held_out.rows), 'held-out image')} {medians[1]:.1f}. {self.near:,} of "
            f"{counted(count, 'sample')} {'is' if self.near == 1 else 'are'} nearer than {1 - NEAR:.0%} of held-out "
            f"images, {NEAR * count:.1f} would be by chance"
        )
        if self.memorized:
            return f"{found}: samples are nearer to training images than held-out images are, so look for copies"
        return f"{found}: no sign of copies"

    def as_json(self) -> dict[str, Any]:
        """The distances of samples and of held-out images, and what follows."""
        return {
            "distances": self.samples.distances.tolist(),
            "rows": self.samples.rows.tolist(),
            "files": list(self.files),
            "median": float(np.median(self.samples.distances)),
            "held_out": self.held_out.distances.tolist(),
            "held_out_median": float(np.median(self.held_out.distances)),
            "near": self.near,
            "near_by_chance": NEAR,
            "interval": list(self.interval),
            "memorized": self.memorized,
        }


def _flat(images: np.ndarray) -> np.ndarray:
    """Images as rows, float32 from 0 to 1."""
    return np.asarray(images, np.float32).reshape(len(images), -1) / 255
