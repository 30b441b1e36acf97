"""Small networks of well-known architectures, trained for some seconds."""

from __future__ import annotations

from collections.abc import Callable

import keras
from keras import layers as L

from _foreign import Entry
from _foreign.blocks import conv_bn, inception, inverted_residual, patches, residual, squeeze_excite, transformer
from _foreign.frames import head, scaled_input


def bn_cnn() -> keras.Model:
    inputs, x = scaled_input()
    for width, stride in ((16, 1), (32, 2), (32, 2)):
        x = conv_bn(x, width, stride)
    return head(inputs, x)


def dense_bn_head() -> keras.Model:
    inputs, x = scaled_input()
    x = L.GlobalAveragePooling2D()(conv_bn(conv_bn(x, 16, 2), 32, 2))
    x = L.ReLU()(L.BatchNormalization()(L.Dense(32, use_bias=False)(x)))
    return head(inputs, x)


def resnet() -> keras.Model:
    inputs, x = scaled_input()
    x = conv_bn(x, 16, 1)
    for width, stride in ((16, 1), (32, 2)):
        x = residual(x, width, stride)
    return head(inputs, x)


def preactivation_resnet() -> keras.Model:
    inputs, x = scaled_input()
    x = L.Conv2D(16, 3, padding="same")(x)
    for width, stride in ((16, 1), (32, 2)):
        x = residual(x, width, stride, before=True)
    return head(inputs, L.ReLU()(L.BatchNormalization()(x)))


def mobilenet() -> keras.Model:
    inputs, x = scaled_input()
    x = conv_bn(x, 16, 2, "relu6")
    for width, stride in ((16, 1), (24, 2), (24, 1)):
        x = inverted_residual(x, width, stride)
    return head(inputs, x, activation="softmax")


def separable() -> keras.Model:
    inputs, x = scaled_input()
    x = conv_bn(x, 16, 1)
    for width in (24, 32):
        y = L.BatchNormalization()(L.SeparableConv2D(width, 3, padding="same")(L.ReLU()(x)))
        y = L.MaxPooling2D(3, 2, "same")(y)
        x = L.Add()([y, L.Conv2D(width, 1, strides=2, padding="same")(x)])
    return head(inputs, L.Dropout(0.2)(x), activation="softmax")


def efficientnet_block() -> keras.Model:
    inputs, x = scaled_input()
    x = conv_bn(x, 16, 2, "swish")
    for width in (16, 24):
        y = conv_bn(x, width, 1, "swish")
        x = L.Concatenate()([squeeze_excite(y, "swish"), x])
    return head(inputs, x)


def squeeze_and_excite() -> keras.Model:
    inputs, x = scaled_input()
    x = squeeze_excite(conv_bn(conv_bn(x, 16, 1), 32, 2))
    return head(inputs, squeeze_excite(conv_bn(x, 32, 2)))


def inception_blocks() -> keras.Model:
    inputs, x = scaled_input()
    x = inception(inception(L.Conv2D(16, 3, strides=2, padding="same", activation="relu")(x), 8), 8)
    return head(inputs, x)


def dense_blocks() -> keras.Model:
    inputs, x = scaled_input()
    x = L.Conv2D(16, 3, padding="same")(x)
    for _ in range(3):
        y = L.Conv2D(8, 3, padding="same")(L.ReLU()(L.BatchNormalization()(x)))
        x = L.Concatenate()([x, y])
    return head(inputs, L.AveragePooling2D(2)(L.ReLU()(L.BatchNormalization()(x))))


def unet() -> keras.Model:
    inputs, x = scaled_input()
    down = [L.Conv2D(8, 3, padding="same", activation="relu")(x)]
    for width in (16, 24):
        down.append(L.Conv2D(width, 3, padding="same", activation="relu")(L.MaxPooling2D()(down[-1])))
    up = down.pop()
    for width in (16, 8):
        up = L.Conv2DTranspose(width, 2, strides=2, padding="same", activation="relu")(up)
        up = L.Conv2D(width, 3, padding="same", activation="relu")(L.Concatenate()([up, down.pop()]))
    return head(inputs, up)


def upsampled() -> keras.Model:
    inputs, x = scaled_input()
    fine = L.Conv2D(16, 3, padding="same", activation="relu")(x)
    coarse = L.Conv2D(16, 3, padding="same", activation="relu")(L.AveragePooling2D(2)(fine))
    x = L.Add()([fine, L.UpSampling2D(interpolation="bilinear")(coarse)])
    return head(inputs, L.Conv2D(16, 3, strides=2, activation="relu")(x))


def convnext() -> keras.Model:
    inputs, x = scaled_input()
    x = L.LayerNormalization(epsilon=1e-6)(L.Conv2D(24, 2, strides=2)(x))
    for _ in range(2):
        y = L.LayerNormalization(epsilon=1e-6)(L.DepthwiseConv2D(5, padding="same")(x))
        y = L.Dense(24)(L.Activation("gelu")(L.Dense(64)(y)))
        x = L.Add()([x, y])
    return head(inputs, L.LayerNormalization(epsilon=1e-6)(L.GlobalAveragePooling2D()(x)))


def group_norm() -> keras.Model:
    inputs, x = scaled_input()
    for width in (16, 32):
        x = L.Activation("silu")(L.GroupNormalization(4)(L.Conv2D(width, 3, strides=2, padding="same")(x)))
    return head(inputs, x)


def selu_alpha_dropout() -> keras.Model:
    inputs, x = scaled_input()
    for width in (16, 32):
        x = L.Conv2D(width, 3, strides=2, activation="selu", kernel_initializer="lecun_normal")(x)
        x = L.AlphaDropout(0.05)(x)
    return head(inputs, x)


def elu_cnn() -> keras.Model:
    inputs, x = scaled_input()
    for width in (16, 32):
        x = L.ELU()(L.Conv2D(width, 3, strides=2)(x))
    return head(inputs, x)


def prelu_cnn() -> keras.Model:
    inputs, x = scaled_input()
    for width in (16, 32):
        x = L.PReLU(shared_axes=[1, 2])(L.Conv2D(width, 3, strides=2)(x))
    return head(inputs, x)


def leaky_bn() -> keras.Model:
    inputs, x = scaled_input()
    for width in (16, 32):
        x = L.BatchNormalization()(L.LeakyReLU(0.1)(L.Conv2D(width, 3, strides=2)(x)))
    return head(inputs, x)


def mish_cnn() -> keras.Model:
    inputs, x = scaled_input()
    for width in (16, 32):
        x = L.Conv2D(width, 3, strides=2, activation="mish")(x)
    return head(inputs, x)


def maxout_merges() -> keras.Model:
    inputs, x = scaled_input()
    pair = [L.Conv2D(24, 3, strides=2, activation="relu")(x) for _ in range(3)]
    x = L.Concatenate()([L.Maximum()(pair), L.Average()(pair), L.Minimum()(pair[:2])])
    return head(inputs, x)


def shared_block() -> keras.Model:
    inputs, x = scaled_input()
    x = conv_bn(x, 16, 2)
    shared, norm = L.Conv2D(16, 3, padding="same", use_bias=False), L.BatchNormalization()
    for _ in range(3):
        x = L.ReLU()(norm(shared(x)))
    return head(inputs, x)


def twin_towers() -> keras.Model:
    inputs, x = scaled_input()
    tower = keras.Sequential(
        [keras.Input((16, 8, 3)), L.Conv2D(16, 3, activation="relu"), L.Conv2D(24, 3, strides=2, activation="relu")]
    )
    left, right = tower(L.Cropping2D(((0, 0), (0, 8)))(x)), tower(L.Cropping2D(((0, 0), (8, 0)))(x))
    return head(inputs, L.Concatenate()([left, right]))


def nested_twice() -> keras.Model:
    inputs, x = scaled_input()
    inner = keras.Input((8, 8, 16))
    block = keras.Model(
        inner, L.Add()([inner, L.ReLU()(L.BatchNormalization()(L.Conv2D(16, 3, padding="same")(inner)))])
    )
    x = L.Conv2D(16, 3, strides=2, padding="same", activation="relu")(x)
    return head(inputs, block(block(x)))


def vision_transformer() -> keras.Model:
    inputs, x = scaled_input()
    x = transformer(transformer(patches(x, 24, 4), 2, 24), 2, 24)
    return head(inputs, L.GlobalAveragePooling1D()(L.LayerNormalization()(x)))


def channels_first_norm() -> keras.Model:
    inputs, x = scaled_input()
    for width in (16, 32):
        x = L.ReLU()(L.BatchNormalization(axis=1)(L.Conv2D(width, 3, strides=2)(x)))
    return head(inputs, x)


_LOGITS: tuple[Callable[[], keras.Model], ...] = (
    *(bn_cnn, dense_bn_head, resnet, preactivation_resnet, efficientnet_block, squeeze_and_excite),
    *(inception_blocks, dense_blocks, unet, upsampled, convnext, group_norm, selu_alpha_dropout, elu_cnn),
    *(prelu_cnn, leaky_bn, mish_cnn, maxout_merges, shared_block, twin_towers, nested_twice),
    *(vision_transformer, channels_first_norm),
)
_SOFTMAX = (*(mobilenet, separable),)

ENTRIES = [
    *(Entry(build.__name__.replace("_", " "), build, trained=True) for build in _LOGITS),
    *(Entry(build.__name__.replace("_", " "), build, trained=True, output="softmax") for build in _SOFTMAX),
]
