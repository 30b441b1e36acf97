"""The few block helpers that the convolutional families share; stable layer names come from `name`."""

from __future__ import annotations

import math

import keras

from tkit.models import PixelStatistics


def pixels(
    input_shape: tuple[int, int, int], statistics: PixelStatistics
) -> tuple[keras.KerasTensor, keras.KerasTensor]:
    """The model's input of raw 0-255 pixels, and the same normalized to mean 0 and variance 1.

    One scale and offset for all channels: an int8 file computes that at no cost, a scale a channel took 15 % of
    ResNet-8's latency (docs/log.md).
    """
    inputs = keras.Input(input_shape, name="image")
    deviation = math.sqrt(statistics.variance)
    return inputs, keras.layers.Rescaling(1 / deviation, -statistics.mean / deviation, name="normalize")(inputs)


def conv_bn(x: keras.KerasTensor, filters: int, name: str, *, strides: int = 1, relu: bool = True) -> keras.KerasTensor:
    """A 3x3 convolution without bias, batch normalization, and a ReLU unless `relu=False`."""
    x = keras.layers.Conv2D(
        filters, 3, strides=strides, padding="same", use_bias=False, kernel_initializer="he_normal", name=f"{name}_conv"
    )(x)
    x = keras.layers.BatchNormalization(momentum=0.9, epsilon=1e-5, name=f"{name}_bn")(x)
    return keras.layers.ReLU(name=f"{name}_relu")(x) if relu else x
