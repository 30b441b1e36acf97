"""Learning-rate schedules, one file each (the file's name is the `kind`): multipliers of the peak over a run."""

from __future__ import annotations

from abc import abstractmethod
from typing import TYPE_CHECKING

from pydantic import Field

from tkit_pipelines.config import Component

if TYPE_CHECKING:
    import keras
    import tensorflow as tf


class Schedule(Component):
    """Linear warm-up from 0 to the peak, then the shape that a subclass gives."""

    warmup: float = Field(0.0, ge=0, lt=1)
    """Share of all steps that the warm-up takes."""

    @abstractmethod
    def shape(self, progress: tf.Tensor) -> tf.Tensor:
        """The multiplier after the warm-up; `progress` is a float32 scalar from 0 to 1."""

    def build(self, peak: float, total_steps: int) -> keras.optimizers.schedules.LearningRateSchedule:
        """The Keras schedule that reaches `peak` and ends at `total_steps`."""
        from tkit.training.schedules._keras_schedule import ShapedSchedule

        return ShapedSchedule(self.shape, self.warmup, peak, total_steps, self.model_dump())
