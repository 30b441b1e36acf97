"""Registers tkit's layers with `keras.saving`, under the module whose import registers all of them."""

from __future__ import annotations

from typing import TypeVar

import keras

PACKAGE = "tkit.layers"
"""What registered names begin with."""
C = TypeVar("C", bound=type)


def registered(cls: C) -> C:
    """The class, which Keras finds in a saved model once it has been imported."""
    return keras.saving.register_keras_serializable(PACKAGE)(cls)
