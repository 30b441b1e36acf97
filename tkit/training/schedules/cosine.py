"""Cosine decay. Source: Loshchilov and Hutter 2017, "SGDR: Stochastic Gradient Descent with Warm Restarts"."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Literal

from tkit.training.schedules import Schedule

if TYPE_CHECKING:
    import tensorflow as tf


class Cosine(Schedule):
    """Half a cosine from the peak to 0."""

    kind: Literal["cosine"] = "cosine"

    def shape(self, progress: tf.Tensor) -> tf.Tensor:
        """(1 + cos(pi progress)) / 2."""
        import tensorflow as tf

        return 0.5 * (1.0 + tf.cos(math.pi * progress))
