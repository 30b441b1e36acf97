"""4x4 convolutions of stride 2, plain and transposed, whose kernels' gradient is twice as fast in bfloat16 on a CPU.

The gradient by the kernel is itself a convolution: of the images with the batch as channels, by the outputs' gradients
as one large filter with holes. TensorFlow's kernel for it, Conv2DBackpropFilter, gains nothing from bfloat16; that for
convolutions does (docs/log.md has the figures).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras
import tensorflow as tf

KERNEL, STRIDE = 4, 2
_FEWEST = 16
"""Channels on both sides; fewer are done quickly either way."""


class StridedConv2D(keras.layers.Conv2D):
    """As `keras.layers.Conv2D` up to rounding, for layers that `faster` names."""

    def convolution_op(self, inputs: Any, kernel: Any) -> Any:
        """Float [batch, height, width, in] to [batch, height / 2, width / 2, filters]."""
        return _down(inputs, tf.convert_to_tensor(kernel))


class StridedConv2DTranspose(keras.layers.Conv2DTranspose):
    """As `keras.layers.Conv2DTranspose` up to rounding, for layers that `faster` names."""

    def call(self, inputs: Any) -> Any:
        """Float [batch, height, width, in] to [batch, 2 height, 2 width, filters]."""
        outputs = _up(inputs, tf.convert_to_tensor(self.kernel))
        outputs = tf.nn.bias_add(outputs, tf.convert_to_tensor(self.bias)) if self.use_bias else outputs
        return self.activation(outputs)


def faster(layer: keras.layers.Layer, policy: str) -> type[keras.layers.Layer] | None:
    """The class that trains a layer faster under a dtype policy on this machine; None where its own does."""
    if policy != "mixed_bfloat16" or tf.config.list_physical_devices("GPU"):
        return None
    if type(layer) not in (keras.layers.Conv2D, keras.layers.Conv2DTranspose):
        return None
    usual = (layer.padding, layer.dilation_rate, layer.data_format) == ("same", (1, 1), "channels_last")
    fits = layer.kernel_size == (KERNEL, KERNEL) and layer.strides == (STRIDE, STRIDE) and usual
    if type(layer) is keras.layers.Conv2D:
        large = layer.input.shape
        return StridedConv2D if fits and layer.groups == 1 and _large(large, layer.filters) else None
    fits = fits and layer.output_padding is None
    return StridedConv2DTranspose if fits and _large(layer.output.shape, layer.input.shape[-1]) else None


def _large(images: tuple[int | None, ...], others: int) -> bool:
    """Whether sides are even and known, and channels many enough."""
    *sides, channels = images[1:]
    return all(side is not None and side % STRIDE == 0 for side in sides) and min(channels or 0, others) >= _FEWEST


@tf.custom_gradient
def _down(images: tf.Tensor, kernel: tf.Tensor) -> tuple[tf.Tensor, Callable[[tf.Tensor], tuple[tf.Tensor, tf.Tensor]]]:
    def gradients(outer: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        inner = tf.nn.conv2d_transpose(outer, kernel, tf.shape(images), STRIDE, "SAME")
        return inner, _by_kernel(images, outer)

    return tf.nn.conv2d(images, kernel, STRIDE, "SAME"), gradients


@tf.custom_gradient
def _up(maps: tf.Tensor, kernel: tf.Tensor) -> tuple[tf.Tensor, Callable[[tf.Tensor], tuple[tf.Tensor, tf.Tensor]]]:
    batch, height, width, _ = tf.unstack(tf.shape(maps))
    shape = [batch, STRIDE * height, STRIDE * width, kernel.shape[2]]

    def gradients(outer: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        return tf.nn.conv2d(outer, kernel, STRIDE, "SAME"), _by_kernel(outer, maps)

    return tf.nn.conv2d_transpose(maps, kernel, shape, STRIDE, "SAME"), gradients


def _by_kernel(large: tf.Tensor, small: tf.Tensor) -> tf.Tensor:
    """The sum over batch and places of the products of each 4x4 window of `large` with its place of `small`.

    Args:
        large: [batch, 2h, 2w, m].
        small: [batch, h, w, n].

    Returns:
        [4, 4, m, n].
    """
    padded = tf.pad(large, [[0, 0], [1, 1], [1, 1], [0, 0]])
    channels_first = tf.transpose(padded, [3, 1, 2, 0])
    as_filter = tf.transpose(small, [1, 2, 0, 3])
    found = tf.nn.conv2d(channels_first, as_filter, 1, "VALID", dilations=STRIDE)
    return tf.transpose(found, [1, 2, 0, 3])
