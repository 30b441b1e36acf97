"""Blocks of well-known networks, small."""

from __future__ import annotations

from typing import Any

from keras import layers as L


def conv_bn(x: Any, width: int, stride: int, activation: str = "relu") -> Any:
    """Convolution, batch normalization, activation."""
    x = L.Conv2D(width, 3, strides=stride, padding="same", use_bias=False)(x)
    return L.Activation(activation)(L.BatchNormalization()(x))


def residual(x: Any, width: int, stride: int, before: bool = False) -> Any:
    """A basic block of ResNet (He et al. 2016); `before`: of the pre-activation kind."""
    start = L.ReLU()(L.BatchNormalization()(x)) if before else x
    y = conv_bn(start, width, stride)
    y = L.Conv2D(width, 3, padding="same", use_bias=before)(y)
    if not before:
        y = L.BatchNormalization()(y)
    if stride > 1 or x.shape[-1] != width:
        x = L.Conv2D(width, 1, strides=stride, use_bias=before)(start)
        x = x if before else L.BatchNormalization()(x)
    total = L.Add()([x, y])
    return total if before else L.ReLU()(total)


def inverted_residual(x: Any, width: int, stride: int) -> Any:
    """A block of MobileNetV2 (Sandler et al. 2018)."""
    y = L.ReLU(6.0)(L.BatchNormalization()(L.Conv2D(3 * x.shape[-1], 1, use_bias=False)(x)))
    y = L.DepthwiseConv2D(3, strides=stride, padding="same", use_bias=False)(y)
    y = L.ReLU(6.0)(L.BatchNormalization()(y))
    y = L.BatchNormalization()(L.Conv2D(width, 1, use_bias=False)(y))
    return L.Add()([x, y]) if stride == 1 and x.shape[-1] == width else y


def squeeze_excite(x: Any, activation: str = "relu") -> Any:
    """Channels weighted by what they hold (Hu et al. 2018)."""
    weights = L.GlobalAveragePooling2D()(x)
    weights = L.Dense(max(2, x.shape[-1] // 4), activation=activation)(weights)
    weights = L.Dense(x.shape[-1], activation="sigmoid")(weights)
    return L.Multiply()([x, L.Reshape((1, 1, x.shape[-1]))(weights)])


def inception(x: Any, width: int) -> Any:
    """Four branches, concatenated (Szegedy et al. 2015)."""
    one = L.Conv2D(width, 1, activation="relu")(x)
    three = L.Conv2D(width, 3, padding="same", activation="relu")(L.Conv2D(width, 1, activation="relu")(x))
    pooled = L.Conv2D(width, 1, activation="relu")(L.MaxPooling2D(3, 1, "same")(x))
    average = L.Conv2D(width, 1, activation="relu")(L.AveragePooling2D(3, 1, "same")(x))
    return L.Concatenate()([one, three, pooled, average])


def patches(x: Any, width: int, size: int) -> Any:
    """Patches as tokens, with a learned embedding of their positions."""
    from keras import ops

    x = L.Conv2D(width, size, strides=size)(x)
    count = x.shape[1] * x.shape[2]
    x = L.Reshape((count, width))(x)
    return x + L.Embedding(count, width)(ops.arange(count))


def transformer(x: Any, heads: int, width: int) -> Any:
    """A pre-LN block (Dosovitskiy et al. 2021)."""
    y = L.LayerNormalization(epsilon=1e-6)(x)
    x = L.Add()([x, L.MultiHeadAttention(heads, width // heads)(y, y)])
    y = L.Dense(2 * width, activation="gelu")(L.LayerNormalization(epsilon=1e-6)(x))
    return L.Add()([x, L.Dense(width)(y)])
