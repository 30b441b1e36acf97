"""Mode collapse: a generator that makes nearly the same images of all noise, noticed while it trains.

Each sample is compared with the one that is nearest to it, not with all: of a few images that are made again and again,
most pairs differ. Differences count in relation to contrast: a generator that has yet to learn makes grey images, which
differ little too, but by as much as anything that is to be seen in them.
"""

from __future__ import annotations

import numpy as np

from tkit import console

ALIKE = 0.25
"""Share of what real images differ by, in relation to contrast, below which samples are alike.

Healthy trainings on digits and CIFAR-10 had at least 0.31 from the first epoch on, those whose discriminator was made
to learn too slowly 0.14 to 0.30."""
PATIENCE = 3
"""Epochs in a row that samples are alike before it is reported."""
_STEP = 1.0
"""Of a pixel: contrast below it is none."""


class Collapse:
    """Follows the samples of each epoch, of the same noise, and reports once that they have become alike.

    Args:
        real: as many images of the data as there are samples, uint8 [n, height, width, channels].
    """

    def __init__(self, real: np.ndarray) -> None:
        self._real, self._real_contrast = _apart(real), max(_contrast(real), _STEP)
        self._alike, self._reported = 0, False

    def seen(self, samples: np.ndarray, epoch: int) -> float:
        """Takes an epoch's samples, uint8 [n, height, width, channels].

        Returns:
            The median difference of a sample and the one nearest to it, as a multiple of that of real images.
        """
        apart, contrast = _apart(samples), max(_contrast(samples), _STEP)
        alike = apart < ALIKE * self._real * contrast / self._real_contrast
        self._alike = self._alike + 1 if alike else 0
        if self._alike == PATIENCE and not self._reported:
            self._reported = True
            console.say(
                f"The generator has collapsed: up to epoch {epoch + 1} its samples are nearly the same for {PATIENCE} "
                f"epochs, whatever the noise (nearest ones differ by {apart:.1f} of 255, real images by "
                f"{self._real:.1f}). It may not recover. What helps: task.r1=1, task.label_smoothing=0.1, "
                "model.spectral_norm=true, or a lower fit.optimizer.learning_rate."
            )
        return apart / max(self._real, _STEP)


def _apart(images: np.ndarray) -> float:
    """The median over images of the root mean square difference to the nearest other one, of 255."""
    rows = images.reshape(len(images), -1).astype(np.float64)
    if len(rows) < 2:
        return 0.0
    squares = np.sum(rows**2, axis=1)
    apart = squares[:, None] + squares - 2 * rows @ rows.T
    np.fill_diagonal(apart, np.inf)
    return float(np.median(np.sqrt(np.maximum(apart.min(axis=1), 0) / rows.shape[1])))


def _contrast(images: np.ndarray) -> float:
    """The median over images of the standard deviation of their pixels."""
    return float(np.median(images.reshape(len(images), -1).std(axis=1)))
