"""One cycle: linear up, then linear down to nearly 0.

Source: Smith 2018, "A disciplined approach to neural network hyper-parameters", in the triangular form that
KellerJordan/cifar10-airbench uses.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from pydantic import Field

from tkit.training.schedules import Schedule

if TYPE_CHECKING:
    import tensorflow as tf


class OneCycle(Schedule):
    """Up over the warm-up, then down in a straight line to `final` times the peak."""

    kind: Literal["one_cycle"] = "one_cycle"
    warmup: float = Field(0.2, ge=0, lt=1)
    """Share of all steps in which the learning rate rises."""
    final: float = Field(0.0, ge=0, le=1)
    """The last learning rate as a share of the peak."""

    def shape(self, progress: tf.Tensor) -> tf.Tensor:
        """1 down to `final`, linear in `progress`."""
        return 1.0 + (self.final - 1.0) * progress
