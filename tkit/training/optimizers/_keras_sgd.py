"""Keras's SGD with a learning rate of its own for vectors."""

from __future__ import annotations

from typing import Any

import keras
import tensorflow as tf


class ScaledSGD(keras.optimizers.SGD):
    """`keras.optimizers.SGD`, whose learning rate is `vector_scale` times as high for variables of one axis.

    Biases and batch normalization's scale and offset are such; what follows `vector_scale` are SGD's own arguments.
    """

    def __init__(self, vector_scale: float, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.vector_scale = vector_scale

    def update_step(self, gradient: tf.Tensor, variable: tf.Variable, learning_rate: tf.Tensor) -> None:
        """One variable's step."""
        if len(variable.shape) == 1:
            learning_rate = learning_rate * self.vector_scale
        super().update_step(gradient, variable, learning_rate)

    def get_config(self) -> dict[str, Any]:
        """What the optimizer is made of, for logs."""
        return {"vector_scale": self.vector_scale, **super().get_config()}
