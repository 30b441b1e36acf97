"""The one Keras learning-rate schedule behind every `Schedule` config, and what unfreezing does to it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras
import tensorflow as tf


class ShapedSchedule(keras.optimizers.schedules.LearningRateSchedule):
    """Warm-up, then `shape`, both scaled by `peak`; a step past the end holds the last value.

    Args:
        shape: the multiplier after the warm-up, from the progress, 0 to 1.
        warmup: share of all steps.
        peak: the highest learning rate.
        total_steps: where progress is 1.
        settings: the config's, for logs.
    """

    def __init__(
        self,
        shape: Callable[[tf.Tensor], tf.Tensor],
        warmup: float,
        peak: float,
        total_steps: int,
        settings: dict[str, Any],
    ) -> None:
        self.shape, self.warmup, self.peak, self.total_steps, self.settings = shape, warmup, peak, total_steps, settings

    def __call__(self, step: tf.Tensor) -> tf.Tensor:
        """The learning rate at an integer `step`, a float32 scalar."""
        warmup_steps = round(self.warmup * self.total_steps)
        step = tf.cast(step, tf.float32)
        # The first step already learns: (step + 1) / warm-up.
        rising = (step + 1) / max(warmup_steps, 1)
        progress = tf.clip_by_value((step - warmup_steps) / max(self.total_steps - warmup_steps, 1), 0.0, 1.0)
        return self.peak * tf.where(step < warmup_steps, rising, self.shape(progress))

    def get_config(self) -> dict:
        """What the schedule is made of, for logs."""
        return {"schedule": self.settings, "peak": self.peak, "total_steps": self.total_steps}


class ScaledFrom(keras.optimizers.schedules.LearningRateSchedule):
    """`schedule`, multiplied by `factor` from `step` on."""

    def __init__(self, schedule: keras.optimizers.schedules.LearningRateSchedule, step: int, factor: float) -> None:
        self.schedule, self.step, self.factor = schedule, step, factor

    def __call__(self, step: tf.Tensor) -> tf.Tensor:
        """The learning rate at an integer `step`, a float32 scalar."""
        return self.schedule(step) * tf.where(step < self.step, 1.0, self.factor)

    def get_config(self) -> dict:
        """What the schedule is made of, for logs."""
        return {**self.schedule.get_config(), "scaled_from": self.step, "factor": self.factor}
