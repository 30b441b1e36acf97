"""4x4 convolutions of stride 2, plain and transposed, without the two slow ways that TensorFlow computes them on a CPU.

The gradient by the kernel is itself a convolution: of the images with the batch as channels, by the outputs' gradients
as one large filter with holes. Conv2DBackpropFilter gains nothing from bfloat16; the kernel for convolutions does.

To as few channels as pixels have, Conv2DBackpropInput takes two to three times as long as a 2x2 kernel of stride 1 that
makes each 2x2 block of pixels as the channels of one place: the same sums (docs/log.md has the figures).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras
import tensorflow as tf

from tkit.registered import registered

KERNEL, STRIDE = 4, 2
_FEWEST = 16
"""Channels on both sides from which the kernel's gradient is faster as a convolution."""
_PIXEL = 4
"""Channels of pixels at most."""


@registered
class StridedConv2D(keras.layers.Conv2D):
    """As `keras.layers.Conv2D` up to rounding, for layers that `faster` names."""

    def convolution_op(self, inputs: Any, kernel: Any) -> Any:
        """Float [batch, height, width, in] to [batch, height / 2, width / 2, filters]."""
        return _down(inputs, tf.convert_to_tensor(kernel))


@registered
class StridedConv2DTranspose(keras.layers.Conv2DTranspose):
    """As `keras.layers.Conv2DTranspose` up to rounding, for layers that `faster` names."""

    def call(self, inputs: Any) -> Any:
        """Float [batch, height, width, in] to [batch, 2 height, 2 width, filters]."""
        outputs = _up(inputs, tf.convert_to_tensor(self.kernel))
        outputs = tf.nn.bias_add(outputs, tf.convert_to_tensor(self.bias)) if self.use_bias else outputs
        return self.activation(outputs)


def faster(layer: keras.layers.Layer, policy: str) -> type[keras.layers.Layer] | None:
    """The class that trains a layer faster under a dtype policy on this machine; None where its own does."""
    if policy == "mixed_float16" or tf.config.list_physical_devices("GPU"):
        return None
    if type(layer) not in (keras.layers.Conv2D, keras.layers.Conv2DTranspose):
        return None
    usual = (layer.padding, layer.dilation_rate, layer.data_format) == ("same", (1, 1), "channels_last")
    if not usual or layer.kernel_size != (KERNEL, KERNEL) or layer.strides != (STRIDE, STRIDE):
        return None
    if type(layer) is keras.layers.Conv2D:
        fits = layer.groups == 1 and _gains(layer.input.shape, layer.filters, policy)
        return StridedConv2D if fits else None
    fits = layer.output_padding is None and _gains(layer.output.shape, layer.input.shape[-1], policy)
    return StridedConv2DTranspose if fits else None


def _gains(images: tuple[int | None, ...], others: int, policy: str) -> bool:
    """Whether the sides of the larger `images` are even and known, and one of the two ways serves its channels."""
    *sides, channels = images[1:]
    if channels is None or any(side is None or side % STRIDE for side in sides):
        return False
    return channels <= _PIXEL or (policy == "mixed_bfloat16" and min(channels, others) >= _FEWEST)


@tf.custom_gradient
def _down(images: tf.Tensor, kernel: tf.Tensor) -> tuple[tf.Tensor, Callable[[tf.Tensor], tuple[tf.Tensor, tf.Tensor]]]:
    def gradients(outer: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        return _transposed(outer, kernel), _by_kernel(images, outer)

    return tf.nn.conv2d(images, kernel, STRIDE, "SAME"), gradients


@tf.custom_gradient
def _up(maps: tf.Tensor, kernel: tf.Tensor) -> tuple[tf.Tensor, Callable[[tf.Tensor], tuple[tf.Tensor, tf.Tensor]]]:
    def gradients(outer: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        return tf.nn.conv2d(outer, kernel, STRIDE, "SAME"), _by_kernel(outer, maps)

    return _transposed(maps, kernel), gradients


def _transposed(maps: tf.Tensor, kernel: tf.Tensor) -> tf.Tensor:
    """The transposed convolution of [batch, h, w, n] by [4, 4, m, n]: [batch, 2h, 2w, m]."""
    batch, height, width, _ = tf.unstack(tf.shape(maps))
    channels, inner = kernel.shape[2:]
    if channels > _PIXEL:
        shape = [batch, STRIDE * height, STRIDE * width, channels]
        return tf.nn.conv2d_transpose(maps, kernel, shape, STRIDE, "SAME")
    split = tf.reshape(kernel, [2, STRIDE, 2, STRIDE, channels, inner])
    blocks = tf.reshape(tf.transpose(split, [0, 2, 1, 3, 4, 5]), [2, 2, STRIDE**2 * channels, inner])
    made = tf.nn.conv2d_transpose(maps, blocks, [batch, height + 1, width + 1, STRIDE**2 * channels], 1, "VALID")
    return tf.nn.depth_to_space(made, STRIDE)[:, 1:-1, 1:-1]


def _by_kernel(large: tf.Tensor, small: tf.Tensor) -> tf.Tensor:
    """The sum over batch and places of the products of each 4x4 window of `large` with its place of `small`.

    Args:
        large: [batch, 2h, 2w, m].
        small: [batch, h, w, n].

    Returns:
        [4, 4, m, n].
    """
    channels = large.shape[-1], small.shape[-1]
    if large.dtype != tf.bfloat16 or min(channels) < _FEWEST:
        strides = [1, STRIDE, STRIDE, 1]
        return tf.raw_ops.Conv2DBackpropFilter(
            input=large, filter_sizes=[KERNEL, KERNEL, *channels], out_backprop=small, strides=strides, padding="SAME"
        )
    padded = tf.pad(large, [[0, 0], [1, 1], [1, 1], [0, 0]])
    channels_first = tf.transpose(padded, [3, 1, 2, 0])
    as_filter = tf.transpose(small, [1, 2, 0, 3])
    found = tf.nn.conv2d(channels_first, as_filter, 1, "VALID", dilations=STRIDE)
    return tf.transpose(found, [1, 2, 0, 3])
