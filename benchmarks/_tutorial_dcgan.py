"""The networks of Keras's tutorial "DCGAN to generate face images" (keras.io), for 32x32 in the place of 64x64.

One stage less would leave its widest convolutions out, so its first maps are 4x4, not 8x8; tanh stands for its
sigmoid, as images are from -1 to 1 here.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Literal

from tkit.models import Model, Spec

if TYPE_CHECKING:
    import keras

SLOPE = 0.2


class TutorialDCGAN(Model):
    """Wide transposed convolutions without batch normalization, and a discriminator with dropout."""

    takes = ("noise",)
    gives = ("image",)
    kind: Literal["tutorial_dcgan"] = "tutorial_dcgan"

    def build(self, spec: Spec) -> keras.Model:
        """The generator: float32 noise [batch, size] to images from -1 to 1, float32 [batch, height, width, 3]."""
        import keras
        from keras import layers

        (noise,), (image,) = spec.inputs, spec.outputs
        inputs = keras.Input(noise.shape, dtype=noise.dtype, name=noise.name)
        maps = (image.shape[0] // 8, image.shape[1] // 8, 128)
        x = layers.Reshape(maps, name="maps")(layers.Dense(math.prod(maps), name="project")(inputs))
        for filters in (128, 256, 512):
            x = layers.Conv2DTranspose(filters, 4, strides=2, padding="same", name=f"up{filters}")(x)
            x = layers.LeakyReLU(SLOPE, name=f"up{filters}_relu")(x)
        x = layers.Conv2D(image.shape[2], 5, padding="same", activation="tanh", name=image.name)(x)
        return keras.Model(inputs, x, name="tutorial_dcgan")

    def companion(self, spec: Spec) -> keras.Model:
        """The discriminator: images from -1 to 1 to logits [batch, 1]."""
        import keras
        from keras import layers

        (image,) = spec.outputs
        inputs = x = keras.Input(image.shape, name=image.name)
        for stage, filters in enumerate((64, 128, 128), 1):
            x = layers.Conv2D(filters, 4, strides=2, padding="same", name=f"stage{stage}")(x)
            x = layers.LeakyReLU(SLOPE, name=f"stage{stage}_relu")(x)
        x = layers.Dropout(0.2, name="dropout")(layers.Flatten(name="flat")(x))
        return keras.Model(inputs, layers.Dense(1, name="real")(x), name="tutorial_discriminator")
