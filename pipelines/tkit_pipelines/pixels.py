"""Arithmetic that several pixel ops share: luma, and float values back to uint8."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import tensorflow as tf

LUMA = (0.299, 0.587, 0.114)
"""ITU-R 601, as tkit's decoder turns colour into grey."""


def mean_luma(values: tf.Tensor) -> tf.Tensor:
    """Each image's mean luma: float32 [B] of float32 [B, H, W, 1 or 3]."""
    import tensorflow as tf

    means = tf.reduce_mean(values, axis=(1, 2))
    return means[:, 0] if values.shape[-1] == 1 else tf.linalg.matvec(means, LUMA)


def to_uint8(values: tf.Tensor) -> tf.Tensor:
    """Float values rounded, and cut off at 0 and 255."""
    import tensorflow as tf

    return tf.cast(tf.clip_by_value(tf.round(values), 0, 255), tf.uint8)


def per_image(values: tf.Tensor, like: tf.Tensor) -> tf.Tensor:
    """A number per image, [B], in the rank of `like`, [B, ...]."""
    import tensorflow as tf

    return tf.reshape(values, [-1] + [1] * (like.shape.rank - 1))


def beta(alpha: float, count: int, seed: tf.Tensor) -> tf.Tensor:
    """float32 [count] drawn from Beta(alpha, alpha)."""
    import tensorflow as tf

    one, other = tf.unstack(tf.random.stateless_gamma([2, count], seed, alpha))
    return tf.math.divide_no_nan(one, one + other)  # both can underflow to 0 where alpha is small
