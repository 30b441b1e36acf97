"""The small networks into which one layer is put: what comes before it and after it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras
from keras import layers

Body = Callable[[Any], Any]
SIZE = 16


def scaled_input(shape: tuple[int, int, int] = (SIZE, SIZE, 3)) -> tuple[Any, Any]:
    """Raw pixels, and the same from 0 to 1."""
    inputs = keras.Input(shape)
    return inputs, layers.Rescaling(1 / 255)(inputs)


def head(inputs: Any, x: Any, classes: int = 3, activation: str | None = None) -> keras.Model:
    """Pools what has axes left, and ends in one dense layer."""
    pools = {3: layers.GlobalAveragePooling1D, 4: layers.GlobalAveragePooling2D, 5: layers.GlobalAveragePooling3D}
    rank = len(x.shape)
    return keras.Model(inputs, layers.Dense(classes, activation=activation)(pools[rank]()(x) if rank in pools else x))


def in_image(body: Body) -> keras.Model:
    """Between two convolutions: `body` takes [batch, 16, 16, 8]."""
    inputs = keras.Input((SIZE, SIZE, 3))
    x = layers.Conv2D(8, 3, padding="same", activation="relu")(layers.Rescaling(1 / 255)(inputs))
    x = body(x)
    if len(x.shape) == 4:
        x = layers.Conv2D(8, 3, strides=2, activation="relu")(x)
    return head(inputs, x)


def on_linear(body: Body) -> keras.Model:
    """Behind a convolution without an activation, as activations and normalizations stand."""
    inputs = keras.Input((SIZE, SIZE, 3))
    x = body(layers.Conv2D(8, 3, padding="same")(layers.Rescaling(1 / 255)(inputs)))
    return head(inputs, layers.Conv2D(8, 3, strides=2, activation="relu")(x))


def on_pixels(body: Body) -> keras.Model:
    """In front of everything: `body` takes raw pixels [batch, 16, 16, 3]."""
    inputs = keras.Input((SIZE, SIZE, 3))
    x = layers.Rescaling(1 / 255)(body(inputs))
    return head(inputs, layers.Conv2D(8, 3, activation="relu")(x))


def on_rows(body: Body) -> keras.Model:
    """On the image's rows as a sequence: `body` takes [batch, 16, 48]."""
    inputs = keras.Input((SIZE, SIZE, 3))
    x = layers.Reshape((SIZE, SIZE * 3))(layers.Rescaling(1 / 255)(inputs))
    return head(inputs, body(x))


def on_tokens(body: Body) -> keras.Model:
    """On patches: `body` takes [batch, 16, 16] tokens."""
    inputs = keras.Input((SIZE, SIZE, 3))
    x = layers.Conv2D(16, 4, strides=4)(layers.Rescaling(1 / 255)(inputs))
    return head(inputs, body(layers.Reshape((16, 16))(x)))


def on_volume(body: Body) -> keras.Model:
    """On the image cut into a volume: `body` takes [batch, 4, 8, 8, 3]."""
    inputs = keras.Input((SIZE, SIZE, 3))
    x = layers.Reshape((4, 8, 8, 3))(layers.Rescaling(1 / 255)(inputs))
    return head(inputs, body(x))


def on_vector(body: Body) -> keras.Model:
    """On features: `body` takes [batch, 12]."""
    inputs = keras.Input((SIZE, SIZE, 3))
    x = layers.Conv2D(12, 3, strides=2, activation="relu")(layers.Rescaling(1 / 255)(inputs))
    return head(inputs, layers.Activation("relu")(layers.Dense(8)(body(layers.GlobalAveragePooling2D()(x)))))
