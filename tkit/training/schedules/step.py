"""Step decay. Source: He et al. 2016, section 4.2: the learning rate is divided by 10 at 1/2 and 3/4 of the run."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from pydantic import Field

from tkit.training.schedules import Schedule

if TYPE_CHECKING:
    import tensorflow as tf


class Step(Schedule):
    """The peak, multiplied by `factor` at each of `milestones`."""

    kind: Literal["step"] = "step"
    milestones: tuple[float, ...] = (0.5, 0.75)
    """Shares of the run, after the warm-up, at which the learning rate drops."""
    factor: float = Field(0.1, gt=0, lt=1)
    """What each drop multiplies by."""

    def shape(self, progress: tf.Tensor) -> tf.Tensor:
        """`factor` to the power of the milestones passed."""
        import tensorflow as tf

        passed = tf.reduce_sum(tf.cast(progress >= tf.constant(self.milestones), tf.float32))
        return tf.pow(self.factor, passed)
