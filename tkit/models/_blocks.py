"""The few block helpers that the convolutional families share; stable layer names come from `name`."""

from __future__ import annotations

import math

import keras

from tkit.models import Spec


def pixels(spec: Spec) -> tuple[keras.KerasTensor, keras.KerasTensor]:
    """The model's input of raw 0-255 pixels, and these pixels normalized to mean 0 and variance 1.

    One scale and offset for all channels: an int8 file computes that at no cost; one scale per channel took 15 % of
    ResNet-8's latency (docs/log.md).
    """
    inputs, statistics = keras.Input(spec.shape, name="image"), spec.statistics["image"]
    deviation = math.sqrt(statistics.variance)
    return inputs, keras.layers.Rescaling(1 / deviation, -statistics.mean / deviation, name="normalize")(inputs)


def head(x: keras.KerasTensor, spec: Spec) -> keras.KerasTensor:
    """The model's output from features [batch, n]: logits [batch, classes], or a number [batch, 1].

    A number is scaled by the targets' own mean and deviation, so that the weights before it are of the usual size.
    """
    (given,) = spec.outputs
    if given.shape:
        return keras.layers.Dense(given.shape[0], name=given.name, dtype="float32")(x)
    statistics = spec.statistics[given.name]
    value = keras.layers.Dense(1, name=f"{given.name}_normalized", dtype="float32")(x)
    return keras.layers.Rescaling(math.sqrt(statistics.variance), statistics.mean, name=given.name)(value)


def conv_bn(
    x: keras.KerasTensor, filters: int, name: str, *, kernel: int = 3, strides: int = 1, activation: str | None = "relu"
) -> keras.KerasTensor:
    """A convolution without bias, batch normalization, and a ReLU: "relu", "relu6" or None."""
    x = keras.layers.Conv2D(
        filters,
        kernel,
        strides=strides,
        padding="same",
        use_bias=False,
        kernel_initializer="he_normal",
        name=f"{name}_conv",
    )(x)
    return _bn_relu(x, name, activation)


def depthwise_bn(x: keras.KerasTensor, name: str, *, strides: int = 1, activation: str | None) -> keras.KerasTensor:
    """A 3x3 depthwise convolution, batch normalization, and a ReLU as in `conv_bn`."""
    x = keras.layers.DepthwiseConv2D(
        3, strides=strides, padding="same", use_bias=False, depthwise_initializer="he_normal", name=f"{name}_conv"
    )(x)
    return _bn_relu(x, name, activation)


def _bn_relu(x: keras.KerasTensor, name: str, activation: str | None) -> keras.KerasTensor:
    x = keras.layers.BatchNormalization(momentum=0.9, epsilon=1e-5, name=f"{name}_bn")(x)
    if activation is None:
        return x
    return keras.layers.ReLU(6.0 if activation == "relu6" else None, name=f"{name}_{activation}")(x)
