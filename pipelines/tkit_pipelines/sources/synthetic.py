"""Made-up images that a model can learn to tell apart: for dry runs and tests, at any size."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tkit_edge.errors import InputError
from tkit_pipelines.dataset import Examples, labelled
from tkit_pipelines.source import Loaded, NamedSource, Shape

# Enough for two steps of a batch of 256 after validation is split off; at 224x224x3 it is 190 MB with the
# test part.
TRAIN, TEST = 1024, 256
MAX_CLASSES = 1000


@dataclass(frozen=True)
class Synthetic(NamedSource):
    """A pattern a class of 4x4 coarse blocks, under noise. The images never depend on the run's seed."""

    usage = "synthetic[:CLASSES]"
    num_classes: int

    @classmethod
    def from_argument(cls, argument: str) -> Synthetic:
        """The source with `argument` classes, 10 by default."""
        if not argument:
            return cls(10)
        if not (argument.isascii() and argument.isdigit() and 2 <= int(argument) <= MAX_CLASSES):
            raise InputError(
                f"data 'synthetic:{argument}': expected a number of classes after the colon, from 2 to {MAX_CLASSES}."
            )
        return cls(int(argument))

    def load(self, shape: Shape, skip_bad: bool = False) -> Loaded:
        """Training and test images, classes balanced (at least 8 and 2 of each)."""
        random = np.random.default_rng(0)
        blocks = random.integers(0, 192, (self.num_classes, 4, 4, shape.channels), dtype=np.uint8)
        rows, columns = np.arange(shape.height) * 4 // shape.height, np.arange(shape.width) * 4 // shape.width
        patterns = blocks[:, rows][:, :, columns]

        def draw(count: int) -> Examples:
            labels = np.arange(count, dtype=np.int32) % self.num_classes
            noise = random.integers(0, 64, (count, *shape.array), dtype=np.uint8)
            for row, label in zip(noise, labels, strict=True):
                row += patterns[label]
            return labelled(noise, labels)

        train, test = draw(max(TRAIN, 8 * self.num_classes)), draw(max(TEST, 2 * self.num_classes))
        return Loaded(train, test, tuple(f"class {label}" for label in range(self.num_classes)))
