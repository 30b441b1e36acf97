"""Model families, one file each (the file's name is the `kind`), and their base class: a config with `build`."""

from __future__ import annotations

from abc import abstractmethod
from typing import TYPE_CHECKING, NamedTuple

from tkit_pipelines.config import Component

if TYPE_CHECKING:
    import keras


class PixelStatistics(NamedTuple):
    """Mean and variance of all raw 0-255 pixel values of the training split."""

    mean: float
    variance: float


class Model(Component):
    """A family of image classifiers.

    `build` returns a functional `keras.Model` from float32 raw 0-255 pixels [batch, height, width, channels] to
    float32 logits [batch, num_classes]; its own normalization is inside, so that a device cannot skew it.
    """

    @abstractmethod
    def build(self, input_shape: tuple[int, int, int], num_classes: int, statistics: PixelStatistics) -> keras.Model:
        """The uncompiled model for images of `input_shape` (height, width, channels)."""
