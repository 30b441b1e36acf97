"""Muon for Keras 3's convolution kernels, which `keras.optimizers.Muon` leaves to Adam."""

from __future__ import annotations

import math
from typing import Any

import tensorflow as tf

from tkit.keras_internals import variable_index
from tkit.training.optimizers._keras_sgd import ScaledSGD

ITERATIONS = 5
QUINTIC = (3.4445, -4.7750, 2.0315)
"""Coefficients of X, XX'X and XX'XX'X: singular values of 0.1 to 1 end between 0.7 and 1.2 (Jordan et al. 2024)."""


def orthogonalized(matrix: tf.Tensor) -> tf.Tensor:
    """The nearest matrix with singular values of about 1, by five Newton-Schulz iterations in bfloat16.

    Args:
        matrix: float32 [rows, columns].

    Returns:
        The same shape and dtype.
    """
    tall = matrix.shape[0] > matrix.shape[1]
    x = tf.cast(matrix / (tf.norm(matrix) + 1e-7), tf.bfloat16)
    x = tf.transpose(x) if tall else x
    first, third, fifth = QUINTIC
    for _ in range(ITERATIONS):
        gram = tf.matmul(x, x, transpose_b=True)
        x = first * x + tf.matmul(third * gram + fifth * tf.matmul(gram, gram), x)
    return tf.cast(tf.transpose(x) if tall else x, tf.float32)


class Muon(ScaledSGD):
    """Orthogonal Nesterov steps for kernels of 4 axes and more than one filter, `ScaledSGD` for everything else.

    Such a kernel is a matrix of fan-in x filters here, and its norm is brought to the root of the number of filters
    at each step: batch normalization makes the outputs independent of it, and so steps keep their relative size
    without weight decay.
    """

    def __init__(
        self, vector_scale: float, kernel_scale: float, kernel_momentum: float, *args: Any, **kwargs: Any
    ) -> None:
        super().__init__(vector_scale, *args, **kwargs)
        self.kernel_scale, self.kernel_momentum = kernel_scale, kernel_momentum

    def update_step(self, gradient: tf.Tensor, variable: tf.Variable, learning_rate: tf.Tensor) -> None:
        """One variable's step."""
        shape, filters = variable.shape, variable.shape[-1]
        if len(shape) != 4 or filters == 1:
            super().update_step(gradient, variable, learning_rate)
            return
        momentum = self.momentums[variable_index(self, variable)]
        velocity = self.kernel_momentum * momentum + gradient
        momentum.assign(velocity)
        step = orthogonalized(tf.reshape(gradient + self.kernel_momentum * velocity, [-1, filters]))
        kernel = variable * (math.sqrt(filters) / tf.norm(variable))
        variable.assign(kernel - learning_rate * self.kernel_scale * tf.reshape(step, shape))

    def get_config(self) -> dict[str, Any]:
        """What the optimizer is made of, for logs."""
        own = {"kernel_scale": self.kernel_scale, "kernel_momentum": self.kernel_momentum}
        return {**own, **super().get_config()}
