"""Stochastic gradient descent with Nesterov momentum (Sutskever et al. 2013).

The learning rate scales linearly with the batch (Goyal et al. 2017).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from pydantic import Field

from tkit.fit.optimizers import REFERENCE_BATCH, Optimizer

if TYPE_CHECKING:
    import keras


class SGD(Optimizer):
    """Nesterov SGD."""

    kind: Literal["sgd"] = "sgd"
    learning_rate: float = Field(0.4, gt=0)
    """Peak learning rate at a batch of 256; scales linearly with the batch."""
    momentum: float = Field(0.9, ge=0, lt=1)
    """Share of the last update that carries over."""

    def scaled(self, batch_size: int) -> float:
        """Linear in the batch size."""
        return self.learning_rate * batch_size / REFERENCE_BATCH

    def build(self, schedule: keras.optimizers.schedules.LearningRateSchedule, **common: object) -> keras.Optimizer:
        """`keras.optimizers.SGD` with Nesterov momentum."""
        import keras

        decay = self.weight_decay or None
        return keras.optimizers.SGD(schedule, self.momentum, nesterov=True, weight_decay=decay, **common)
