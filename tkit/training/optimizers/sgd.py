"""Stochastic gradient descent with Nesterov momentum (Sutskever et al. 2013).

The learning rate scales linearly with the batch (Goyal et al. 2017). Vectors (biases, batch normalization's scale and
offset) may learn faster than kernels, as in KellerJordan/cifar10-airbench.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from pydantic import Field

from tkit.training.optimizers import REFERENCE_BATCH, Optimizer

if TYPE_CHECKING:
    import keras


class SGD(Optimizer):
    """Nesterov SGD."""

    kind: Literal["sgd"] = "sgd"
    learning_rate: float = Field(0.4, gt=0)
    """Peak learning rate at a batch of 256; scales linearly with the batch."""
    momentum: float = Field(0.9, ge=0, lt=1)
    """Share of the last update that carries over."""
    vector_scale: float = Field(1.0, gt=0)
    """Multiplies the learning rate of biases and of batch normalization's scale and offset."""

    def scaled(self, batch_size: int) -> float:
        """Linear in the batch size."""
        return self.learning_rate * batch_size / REFERENCE_BATCH

    def build(self, schedule: keras.optimizers.schedules.LearningRateSchedule, **common: object) -> keras.Optimizer:
        """`keras.optimizers.SGD` with Nesterov momentum."""
        from tkit.training.optimizers._keras_sgd import ScaledSGD

        decay = self.weight_decay or None
        return ScaledSGD(self.vector_scale, schedule, self.momentum, nesterov=True, weight_decay=decay, **common)
