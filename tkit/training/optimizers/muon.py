"""Muon (Jordan et al. 2024): orthogonal momentum steps for convolution kernels; Nesterov SGD for the rest.

Source: KellerJordan/Muon and KellerJordan/cifar10-airbench (facts and constants; the code is tkit's own). Both
learning rates scale linearly with the batch (Goyal et al. 2017).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from pydantic import Field

from tkit.training.optimizers import REFERENCE_BATCH, Optimizer

if TYPE_CHECKING:
    import keras


class Muon(Optimizer):
    """Muon for convolution kernels, Nesterov SGD for the rest; for networks with batch normalization."""

    kind: Literal["muon"] = "muon"
    learning_rate: float = Field(0.4, gt=0)
    """Peak learning rate of all that isn't a convolution kernel, at a batch of 256; scales linearly with the batch."""
    momentum: float = Field(0.9, ge=0, lt=1)
    """Share of the last update that carries over, in SGD."""
    vector_scale: float = Field(16.0, gt=0)
    """Multiplies the learning rate of biases and of batch normalization's scale and offset."""
    kernel_scale: float = Field(0.25, gt=0)
    """The kernels' learning rate as a share of `learning_rate`; a step's singular values are all about that large."""
    kernel_momentum: float = Field(0.6, ge=0, lt=1)
    """Share of the kernels' last gradients that carries over."""

    def scaled(self, batch_size: int) -> float:
        """Linear in the batch size."""
        return self.learning_rate * batch_size / REFERENCE_BATCH

    def build(self, schedule: keras.optimizers.schedules.LearningRateSchedule, **common: object) -> keras.Optimizer:
        """`tkit.training.optimizers._keras_muon.Muon`."""
        from tkit.training.optimizers._keras_muon import Muon

        return Muon(
            self.vector_scale,
            self.kernel_scale,
            self.kernel_momentum,
            schedule,
            self.momentum,
            nesterov=True,
            weight_decay=self.weight_decay or None,
            **common,
        )
