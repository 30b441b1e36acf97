"""DCGAN: images from noise, by transposed convolutions, and the discriminator that the generator is trained against.

Source: Radford et al. 2016, "Unsupervised representation learning with deep convolutional generative adversarial
networks", with kernels of 4x4, which strides of 2 divide (Odena et al. 2016, "Deconvolution and checkerboard
artifacts"); spectral normalization of Miyato et al. 2018; classes by the projection of Miyato and Koyama 2018.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Literal

from pydantic import Field

from tkit.models import Model, Spec
from tkit_edge.errors import InputError

if TYPE_CHECKING:
    import keras

KERNEL = 4
SMALLEST = 4
"""Side of the first feature maps, where the image allows it."""
FEWEST = 2
"""Stages, each of which doubles the sides."""
SLOPE = 0.2
_DEVIATION = 0.02


class DCGAN(Model):
    """A generator of as many stages as double its first feature maps to the image, and a discriminator like it."""

    takes = ("noise",)
    gives = ("image",)
    kind: Literal["dcgan"] = "dcgan"
    width: int = Field(64, ge=1)
    """Filters of the generator's last and the discriminator's first hidden stage; each stage inwards has twice."""
    classes: int = Field(32, ge=1)
    """Values that a class becomes beside the noise, where there are classes."""
    spectral_norm: bool = False
    """Whether the discriminator's kernels are divided by their largest singular value, in the place of batch
    normalization."""
    dropout: float = Field(0.0, ge=0, lt=1)
    """Share of the discriminator's features that is dropped in training."""

    def build(self, spec: Spec) -> keras.Model:
        """The generator: float32 noise [batch, size], with classes int32 labels [batch] too, to images from -1 to 1,
        float32 [batch, height, width, channels].

        Raises:
            InputError: an image whose sides aren't divisible by 4.
        """
        import keras

        (image,) = spec.outputs
        height, width, channels = image.shape
        stages = _stages(height, width)
        inputs = [keras.Input(taken.shape, dtype=taken.dtype, name=taken.name) for taken in spec.inputs]
        x = inputs[0]
        if len(inputs) == 2:
            known = keras.layers.Embedding(spec.sizes["label"], self.classes, name="classes")(inputs[1])
            x = keras.layers.Concatenate(name="noise_and_class")([x, known])
        filters, side = self.width * 2 ** (stages - 1), (height >> stages, width >> stages)
        normal = keras.initializers.RandomNormal(stddev=_DEVIATION)
        x = keras.layers.Dense(math.prod(side) * filters, use_bias=False, kernel_initializer=normal, name="project")(x)
        x = _normalized(keras.layers.Reshape((*side, filters), name="maps")(x), "project")
        x = keras.layers.ReLU(name="project_relu")(x)
        for stage in range(1, stages):
            x = self._up(x, filters >> stage, f"stage{stage}", use_bias=False)
            x = keras.layers.ReLU(name=f"stage{stage}_relu")(_normalized(x, f"stage{stage}"))
        x = self._up(x, channels, image.name, activation="tanh")
        return keras.Model(inputs[0] if len(inputs) == 1 else inputs, x, name="dcgan")

    def companion(self, spec: Spec) -> keras.Model:
        """The discriminator: images from -1 to 1 as the generator gives them, with classes int32 labels [batch] too, to
        logits [batch, 1], above 0 for images that it takes for real.
        """
        import keras

        (image,) = spec.outputs
        stages = _stages(*image.shape[:2])
        inputs = [keras.Input(image.shape, name=image.name)]
        x: Any = inputs[0]
        for stage in range(stages):
            x = self._down(x, self.width << stage, f"stage{stage + 1}", first=stage == 0)
        flat = keras.layers.Flatten(name="flat")(x)
        logits = self._normed(keras.layers.Dense(1, name="real"))(flat)
        if len(spec.inputs) == 2:
            label = spec.inputs[1]
            inputs.append(keras.Input(label.shape, dtype=label.dtype, name=label.name))
            known = keras.layers.Embedding(spec.sizes["label"], x.shape[-1], name="classes")(inputs[1])
            pooled = keras.layers.GlobalAveragePooling2D(name="pool")(x)
            fits = keras.layers.Dot(axes=1, name="projection")([known, pooled])
            logits = keras.layers.Add(name="real_of_class")([logits, fits])
        return keras.Model(inputs[0] if len(inputs) == 1 else inputs, logits, name="discriminator")

    def _up(self, x: keras.KerasTensor, filters: int, name: str, **settings: Any) -> keras.KerasTensor:
        import keras

        return keras.layers.Conv2DTranspose(
            filters,
            KERNEL,
            strides=2,
            padding="same",
            kernel_initializer=keras.initializers.RandomNormal(stddev=_DEVIATION),
            name=name,
            **settings,
        )(x)

    def _down(self, x: keras.KerasTensor, filters: int, name: str, *, first: bool) -> keras.KerasTensor:
        import keras

        normalized = not first and not self.spectral_norm
        convolution = keras.layers.Conv2D(
            filters,
            KERNEL,
            strides=2,
            padding="same",
            use_bias=not normalized,
            kernel_initializer=keras.initializers.RandomNormal(stddev=_DEVIATION),
            name=name,
        )
        x = self._normed(convolution)(x)
        x = keras.layers.LeakyReLU(SLOPE, name=f"{name}_relu")(_normalized(x, name) if normalized else x)
        return keras.layers.Dropout(self.dropout, name=f"{name}_dropout")(x) if self.dropout else x

    def _normed(self, layer: keras.layers.Layer) -> keras.layers.Layer:
        import keras

        return keras.layers.SpectralNormalization(layer, name=layer.name) if self.spectral_norm else layer


def _normalized(x: keras.KerasTensor, name: str) -> keras.KerasTensor:
    import keras

    return keras.layers.BatchNormalization(momentum=0.9, epsilon=1e-5, name=f"{name}_bn")(x)


def _stages(height: int, width: int) -> int:
    """How often both sides are halved."""
    stages = 0
    while (height >> stages) % 2 == 0 and (width >> stages) % 2 == 0:
        if stages >= FEWEST and min(height, width) >> stages <= SMALLEST:
            break
        stages += 1
    if stages < FEWEST or min(height, width) < 2**FEWEST * 2:
        raise InputError(
            f"model=dcgan makes images whose sides are divisible by 4 and at least 8, such as 8, 16, 28, 32 or 64; "
            f"received {height}x{width}. Set data.image_size."
        )
    return stages
