"""AdamW (Loshchilov and Hutter 2019).

The learning rate scales with the square root of the batch (Malladi et al. 2022).
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Literal

from pydantic import Field

from tkit.training.optimizers import REFERENCE_BATCH, Optimizer

if TYPE_CHECKING:
    import keras


class AdamW(Optimizer):
    """Adam with decoupled weight decay."""

    kind: Literal["adamw"] = "adamw"
    learning_rate: float = Field(2e-3, gt=0)
    """Peak learning rate at a batch of 256; scales with the square root of the batch."""
    weight_decay: float = Field(0.01, ge=0)
    """Decoupled weight decay, multiplied by the learning rate."""
    beta_1: float = Field(0.9, ge=0, lt=1)
    """Decay of the first moment."""
    beta_2: float = Field(0.999, ge=0, lt=1)
    """Decay of the second moment."""

    def scaled(self, batch_size: int) -> float:
        """By the square root of the batch size."""
        return self.learning_rate * math.sqrt(batch_size / REFERENCE_BATCH)

    def build(self, schedule: keras.optimizers.schedules.LearningRateSchedule, **common: object) -> keras.Optimizer:
        """`keras.optimizers.AdamW`."""
        import keras

        return keras.optimizers.AdamW(schedule, self.weight_decay, self.beta_1, self.beta_2, **common)
