"""Optimizers, one file each (the file's name is the `kind`): a learning rate for a batch of 256, and what it builds."""

from __future__ import annotations

from abc import abstractmethod
from typing import TYPE_CHECKING

from pydantic import Field

from tkit_pipelines.config import Component

if TYPE_CHECKING:
    import keras

REFERENCE_BATCH = 256


class Optimizer(Component):
    """A Keras optimizer's settings; the learning rate is scaled from the reference batch of 256 by `scaled`."""

    learning_rate: float = Field(gt=0)
    """Peak learning rate at a batch of 256; other batch sizes scale it."""
    weight_decay: float = Field(0.0, ge=0)
    """Decoupled weight decay, multiplied by the learning rate; kernels only (not biases, not normalization)."""

    @abstractmethod
    def scaled(self, batch_size: int) -> float:
        """The peak learning rate for `batch_size`."""

    @abstractmethod
    def build(self, schedule: keras.optimizers.schedules.LearningRateSchedule, **common: object) -> keras.Optimizer:
        """The Keras optimizer; `common` is what every Keras optimizer takes (clipping, EMA)."""
