"""One model per layer kind of volumes and of image sequences, and of the layers that a model begins with."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
from keras import layers as L

from _foreign import Entry
from _foreign.frames import Body, head, on_volume


def _pooled(x: Any) -> Any:
    x = L.Conv3D(8, 2)(L.MaxPooling3D((1, 2, 2))(x))
    x = L.Conv3D(8, (2, 1, 1))(L.AveragePooling3D((1, 2, 2))(x))
    return L.Add()([L.GlobalAveragePooling3D()(x), L.GlobalMaxPooling3D()(x)])


_VOLUME: dict[str, tuple[str, Body]] = {
    "Conv3D": ("Conv3D", lambda x: L.Conv3D(8, 3, padding="same", activation="relu")(x)),
    "Conv3D with batch normalization": (
        "Conv3D",
        lambda x: L.ReLU()(L.BatchNormalization()(L.Conv3D(8, (1, 3, 3), strides=(1, 2, 2), use_bias=False)(x))),
    ),
    "Conv3DTranspose": ("Conv3DTranspose", lambda x: L.Conv3DTranspose(4, 2, strides=2, activation="relu")(x)),
    "Pooling of volumes": (
        "MaxPooling3D AveragePooling3D GlobalAveragePooling3D GlobalMaxPooling3D",
        _pooled,
    ),
    "Adaptive pooling of volumes": (
        "AdaptiveAveragePooling3D AdaptiveMaxPooling3D",
        lambda x: L.AdaptiveMaxPooling3D(2)(L.Conv3D(8, 1)(L.AdaptiveAveragePooling3D(4)(x))),
    ),
    "Layers that move values of volumes": (
        "UpSampling3D Cropping3D ZeroPadding3D SpatialDropout3D",
        lambda x: L.SpatialDropout3D(0.2)(
            L.Conv3D(8, 2)(L.ZeroPadding3D((0, 1, 1))(L.Cropping3D((0, 2, 1))(L.UpSampling3D((1, 2, 2))(x))))
        ),
    ),
    "ConvLSTM2D": ("ConvLSTM2D", lambda x: L.ConvLSTM2D(4, 3)(x)),
    "ConvLSTM3D": ("ConvLSTM3D", lambda x: L.ConvLSTM3D(2, 2)(L.Reshape((2, 2, 8, 8, 3))(x))),
    "TimeDistributed of Conv2D": (
        "TimeDistributed",
        lambda x: L.TimeDistributed(L.Conv2D(8, 3, activation="relu"))(x),
    ),
    "TimeDistributed CNN and LSTM": (
        "TimeDistributed",
        lambda x: L.LSTM(8)(L.TimeDistributed(L.GlobalAveragePooling2D())(L.TimeDistributed(L.Conv2D(8, 3))(x))),
    ),
}


def _normalization() -> keras.Model:
    """Begins with an adapted Normalization of raw pixels, one mean per channel."""
    normalization = L.Normalization()
    normalization.adapt(np.random.default_rng(0).uniform(0, 255, (32, 16, 16, 3)).astype("float32"))
    inputs = keras.Input((16, 16, 3))
    return head(inputs, L.Conv2D(8, 3, activation="relu")(normalization(inputs)))


def _per_pixel() -> keras.Model:
    """A Normalization with a mean per pixel."""
    normalization = L.Normalization(axis=(1, 2, 3))
    normalization.adapt(np.random.default_rng(0).uniform(0, 255, (32, 16, 16, 3)).astype("float32"))
    inputs = keras.Input((16, 16, 3))
    return head(inputs, L.Conv2D(8, 3, activation="relu")(normalization(inputs)))


def _one_scale() -> keras.Model:
    """A Normalization with one mean for everything."""
    inputs = keras.Input((16, 16, 3))
    x = L.Normalization(axis=None, mean=120.0, variance=3600.0)(inputs)
    return head(inputs, L.Conv2D(8, 3, activation="relu")(x))


def _per_channel() -> keras.Model:
    """A Rescaling with ImageNet's mean and deviation per channel."""
    inputs = keras.Input((16, 16, 3))
    x = L.Rescaling([1 / 58.4, 1 / 57.1, 1 / 57.4], [-2.12, -2.04, -1.80])(inputs)
    return head(inputs, L.Conv2D(8, 3, activation="relu")(x))


def _input_layer() -> keras.Model:
    """A Sequential model that begins with an InputLayer."""
    return keras.Sequential(
        [L.InputLayer((16, 16, 3)), L.Rescaling(1 / 255), L.Conv2D(8, 3), L.GlobalAveragePooling2D(), L.Dense(3)]
    )


ENTRIES = [
    *(Entry(name, lambda body=body: on_volume(body), tuple(kinds.split())) for name, (kinds, body) in _VOLUME.items()),
    Entry("Normalization", _normalization, ("Normalization",)),
    Entry("Normalization per pixel", _per_pixel, ("Normalization",)),
    Entry("Normalization, one scale", _one_scale, ("Normalization",)),
    Entry("Rescaling per channel", _per_channel, ("Rescaling",)),
    Entry("InputLayer", _input_layer, ("InputLayer",)),
]
