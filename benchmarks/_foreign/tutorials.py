"""Image classifiers as Keras's guides, tutorials and users write them, trained for some seconds."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras
from keras import layers as L

from _foreign import Entry
from _foreign.blocks import conv_bn
from _foreign.frames import head, scaled_input

SHAPE = (16, 16, 3)


def _tutorial(*first: Any, activation: str | None = None, classes: int = 3) -> keras.Model:
    return keras.Sequential(
        [
            *first,
            L.Conv2D(16, 3, padding="same", activation="relu"),
            L.MaxPooling2D(),
            L.Conv2D(32, 3, padding="same", activation="relu"),
            L.MaxPooling2D(),
            L.Dropout(0.2),
            L.Flatten(),
            L.Dense(32, activation="relu"),
            L.Dense(classes, activation=activation),
        ]
    )


def tutorial() -> keras.Model:
    return _tutorial(keras.Input(SHAPE), L.Rescaling(1 / 255))


def softmax_head() -> keras.Model:
    return _tutorial(keras.Input(SHAPE), L.Rescaling(1 / 255), activation="softmax")


def scaled_outside() -> keras.Model:
    return _tutorial(keras.Input(SHAPE), activation="softmax")


def scaled_symmetrically() -> keras.Model:
    return _tutorial(keras.Input(SHAPE))


def raw_pixels() -> keras.Model:
    return _tutorial(keras.Input(SHAPE), L.BatchNormalization())


def binary_sigmoid() -> keras.Model:
    return _tutorial(keras.Input(SHAPE), L.Rescaling(1 / 255), activation="sigmoid", classes=1)


def binary_logit() -> keras.Model:
    return _tutorial(keras.Input(SHAPE), L.Rescaling(1 / 255), classes=1)


def without_input() -> keras.Model:
    model = _tutorial(L.Rescaling(1 / 255), activation="softmax")
    model.build((None, *SHAPE))
    return model


def softmax_layer() -> keras.Model:
    return keras.Sequential([keras.Input(SHAPE), tutorial(), L.Softmax()])


def mlp() -> keras.Model:
    return keras.Sequential(
        [
            keras.Input(SHAPE),
            L.Rescaling(1 / 255),
            L.Flatten(),
            L.Dense(64, activation="relu"),
            L.BatchNormalization(),
            L.Dropout(0.2),
            L.Dense(32, activation="tanh"),
            L.Dense(3, activation="softmax"),
        ]
    )


def frozen_backbone() -> keras.Model:
    backbone = keras.Sequential([keras.Input(SHAPE), *(L.Conv2D(24, 3, activation="relu") for _ in range(2))])
    backbone.trainable = False
    inputs, x = scaled_input()
    x = L.Dense(32, activation="relu")(L.GlobalAveragePooling2D()(backbone(x, training=False)))
    return head(inputs, x, activation="softmax")


def transfer() -> keras.Model:
    backbone = keras.applications.MobileNetV2(
        include_top=False, weights=None, input_shape=(32, 32, 3), alpha=0.35, pooling="avg"
    )
    inputs = keras.Input((32, 32, 3))
    x = L.RandomFlip("horizontal")(inputs)
    x = backbone(keras.applications.mobilenet_v2.preprocess_input(x))
    return keras.Model(inputs, L.Dense(3, activation="softmax")(L.Dropout(0.2)(x)))


def caffe_inside() -> keras.Model:
    inputs = keras.Input(SHAPE)
    x = keras.applications.vgg16.preprocess_input(inputs)
    x = L.MaxPooling2D()(L.Conv2D(16, 3, activation="relu")(L.Rescaling(1 / 128)(x)))
    return head(inputs, L.Conv2D(32, 3, activation="relu")(x))


def torch_inside() -> keras.Model:
    inputs = keras.Input(SHAPE)
    x = keras.applications.densenet.preprocess_input(inputs)
    x = L.MaxPooling2D()(L.Conv2D(16, 3, activation="relu")(x))
    return head(inputs, L.Conv2D(32, 3, activation="relu")(x))


def operators() -> keras.Model:
    inputs = keras.Input(SHAPE)
    x = inputs / 127.5 - 1.0
    x = L.Conv2D(16, 3, strides=2, padding="same", activation="relu")(x)
    x = x + L.Conv2D(16, 3, padding="same", activation="relu")(x) * 0.5
    return head(inputs, L.Conv2D(32, 3, activation="relu")(x))


def keras_ops() -> keras.Model:
    from keras import ops

    inputs = keras.Input(SHAPE)
    x = ops.divide(ops.cast(inputs, "float32"), 255.0)
    x = ops.gelu(L.Conv2D(16, 3, strides=2, padding="same")(x))
    x = ops.relu(L.BatchNormalization()(L.Conv2D(32, 3, padding="same")(x)))
    x = ops.concatenate([ops.mean(x, axis=(1, 2)), ops.max(x, axis=(1, 2))], axis=-1)
    return keras.Model(inputs, ops.softmax(L.Dense(3)(x)))


def grey() -> keras.Model:
    return _tutorial(keras.Input((16, 16, 1)), L.Rescaling(1 / 255))


def augmented() -> keras.Model:
    first = [keras.Input(SHAPE), L.RandomFlip("horizontal"), L.RandomTranslation(0.1, 0.1), L.Rescaling(1 / 255)]
    return _tutorial(*first)


def mixed_bfloat16() -> keras.Model:
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        inputs, x = scaled_input()
        x = L.GlobalAveragePooling2D()(conv_bn(conv_bn(x, 16, 2), 32, 2))
        return keras.Model(inputs, L.Dense(3, dtype="float32")(x))
    finally:
        keras.config.set_dtype_policy("float32")


def mixed_float16() -> keras.Model:
    keras.config.set_dtype_policy("mixed_float16")
    try:
        model = tutorial()
        return keras.Sequential([keras.Input(SHAPE), *model.layers, L.Activation("softmax", dtype="float32")])
    finally:
        keras.config.set_dtype_policy("float32")


def _with_lora(model: keras.Model) -> keras.Model:
    for layer in model.layers:
        if isinstance(layer, L.Dense):
            layer.enable_lora(2)
    return model


def _quantized(model: keras.Model) -> keras.Model:
    model.quantize("int8")
    return model


def dict_output() -> keras.Model:
    inputs, x = scaled_input()
    x = L.GlobalAveragePooling2D()(conv_bn(conv_bn(x, 16, 2), 32, 2))
    return keras.Model(inputs, {"label": L.Dense(3)(x)})


def lstm_rows() -> keras.Model:
    inputs, x = scaled_input()
    return head(inputs, L.LSTM(24)(L.Reshape((16, 48))(x)))


def bidirectional_gru_rows() -> keras.Model:
    inputs, x = scaled_input()
    x = L.Bidirectional(L.GRU(16))(L.Reshape((16, 48))(x))
    return head(inputs, L.Dropout(0.2)(x), activation="softmax")


def conv1d_rows() -> keras.Model:
    inputs, x = scaled_input()
    x = L.Reshape((16, 48))(x)
    for width in (24, 32):
        x = L.MaxPooling1D()(L.Conv1D(width, 3, padding="same", activation="relu")(x))
    return head(inputs, L.GlobalAveragePooling1D()(x))


def conv3d_depth() -> keras.Model:
    inputs, x = scaled_input()
    x = L.Conv3D(12, (3, 3, 2), activation="relu")(L.Reshape((16, 16, 3, 1))(x))
    x = L.Conv3D(24, (3, 3, 2), strides=(2, 2, 1), activation="relu")(x)
    return head(inputs, L.GlobalAveragePooling3D()(x))


_PIXELS: dict[Callable[[], keras.Model], str] = {
    scaled_outside: "0-1",
    scaled_symmetrically: "-1-1",
    raw_pixels: "0-255",
}
_LOGITS: tuple[Callable[[], keras.Model], ...] = (
    *(tutorial, scaled_symmetrically, raw_pixels, caffe_inside, torch_inside, operators, grey, augmented),
    *(mixed_bfloat16, dict_output, lstm_rows, conv1d_rows, conv3d_depth),
)
_SOFTMAX: tuple[Callable[[], keras.Model], ...] = (
    *(softmax_head, scaled_outside, without_input, softmax_layer, mlp, frozen_backbone, transfer),
    *(keras_ops, mixed_float16, bidirectional_gru_rows),
)


def _entry(build: Callable[[], keras.Model], **settings: Any) -> Entry:
    output = "softmax" if build in _SOFTMAX else "logits"
    settings = {"output": output, "pixels": _PIXELS.get(build), **settings}
    return Entry(build.__name__.replace("_", " "), build, trained=True, **settings)


ENTRIES = [
    *map(_entry, (*_LOGITS, *_SOFTMAX)),
    _entry(binary_sigmoid, output="sigmoid", classes=2),
    _entry(binary_logit, output="logit", classes=2),
    _entry(tutorial, finish=_with_lora)._replace(name="tutorial with LoRA"),
    _entry(tutorial, finish=_quantized)._replace(name="tutorial, quantized by Keras"),
    _entry(softmax_head, file="model.h5")._replace(name="softmax head, .h5"),
    _entry(mlp, file="model.h5")._replace(name="mlp, .h5"),
]
