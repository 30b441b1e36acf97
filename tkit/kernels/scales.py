"""The scales of a kernel's channels: what its integer codes are multiplied by."""

from __future__ import annotations

import keras
import numpy as np
import tensorflow as tf

LARGEST_CODE = 127
LARGEST_INT4 = 7
_SHARES = np.linspace(0.4, 1.0, 61, dtype=np.float32)


def scale_shape(layer: keras.layers.Layer, shape: tuple[int, ...]) -> tuple[int, ...]:
    """The shape of one value per output channel that broadcasts to a kernel of `shape`; of a table it is one value."""
    axes = [len(shape) - 1]  # [..., in, out]
    if isinstance(layer, keras.layers.Embedding):  # the runtime looks up codes, and they have one scale
        axes = []
    elif isinstance(layer, keras.layers.DepthwiseConv2D):  # [height, width, channels, multiplier]
        axes = [2, 3]
    elif isinstance(layer, keras.layers.Conv2DTranspose):  # [height, width, out, in]
        axes = [2]
    return tuple(size if axis in axes else 1 for axis, size in enumerate(shape))


def code_scales(kernel: tf.Tensor, shape: tuple[int, ...]) -> tf.Tensor:
    """The scales of `shape` that give each channel's largest weight the largest int8 code.

    A channel ten thousand times smaller than the layer's largest is dead: with the layer's scale its codes are 0; with
    its own the bias would overflow an int32.
    """
    axes = [axis for axis, size in enumerate(shape) if size == 1]
    largest = tf.reduce_max(tf.abs(kernel), axes, keepdims=True)
    most = tf.reduce_max(largest)
    return tf.where(largest > 1e-4 * most, largest, tf.where(most > 0, most, 1.0)) / LARGEST_CODE


def rounded_up(scales: np.ndarray) -> np.ndarray:
    """Positive scales rounded up to numbers of 4 significant bits, which a zip stores in a third of the bytes."""
    mantissas, exponents = np.frexp(scales)
    return np.ldexp(np.ceil(mantissas * 16) / 16, exponents).astype(np.float32)


def int4_scales(kernel: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """The scales of `shape` that round each channel to codes from -7 to 7 with the least squared error.

    With so few codes, clipping the largest weights lowers the error.
    """
    most = code_scales(kernel, shape).numpy() * (LARGEST_CODE / LARGEST_INT4)
    axes = tuple(axis for axis, size in enumerate(shape) if size == 1)

    def error(scales: np.ndarray) -> np.ndarray:
        codes = np.clip(np.round(kernel / scales), -LARGEST_INT4, LARGEST_INT4)
        return np.sum((codes * scales - kernel) ** 2, axis=axes, keepdims=True)

    best = np.argmin([error(most * share) for share in _SHARES], axis=0)
    return most * _SHARES[best]
