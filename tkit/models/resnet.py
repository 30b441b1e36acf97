"""Residual networks for small images: ResNet-8, -20, -32, -56 and any other depth of 6n+2.

Source: He et al. 2016, "Deep Residual Learning for Image Recognition", section 4.2, with 1x1 convolutions where the
shape changes; `depth=8` is MLPerf Tiny's image-classification topology (mlcommons/tiny).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from pydantic import Field, field_validator

from tkit.models import Model, Spec

if TYPE_CHECKING:
    import keras


class ResNet(Model):
    """Three stages of (depth - 2) / 6 basic blocks with `width`, 2 `width` and 4 `width` filters."""

    gives = ("classes", "number")
    kind: Literal["resnet"] = "resnet"
    depth: int = 20
    """Layers with weights on the main path: 8, 14, 20, 32, 44, 56, 110 ..."""
    width: int = Field(16, ge=1)
    """Filters of the first stage."""

    @field_validator("depth")
    @classmethod
    def _depth_is_6n_plus_2(cls, depth: int) -> int:
        if depth < 8 or (depth - 2) % 6:
            raise ValueError("depth must be 6n+2: 8, 14, 20, 26, 32, 38, 44, 50, 56 ...")
        return depth

    def build(self, spec: Spec) -> keras.Model:
        """Float32 raw pixels [batch, height, width, channels] to the outputs of `head`."""
        import keras

        from tkit.models._blocks import conv_bn, head, pixels

        inputs, x = pixels(spec)
        x = conv_bn(x, self.width, "stem")
        for stage in range(3):
            for block in range((self.depth - 2) // 6):
                strides = 2 if stage > 0 and block == 0 else 1
                x = self._block(x, self.width * 2**stage, strides, f"stage{stage + 1}_block{block + 1}")
        x = keras.layers.GlobalAveragePooling2D(name="pool")(x)
        return keras.Model(inputs, head(x, spec), name=f"resnet{self.depth}")

    def _block(self, x: keras.KerasTensor, filters: int, strides: int, name: str) -> keras.KerasTensor:
        import keras

        from tkit.models._blocks import conv_bn

        shortcut = x
        if strides > 1 or x.shape[-1] != filters:
            shortcut = keras.layers.Conv2D(
                filters, 1, strides=strides, kernel_initializer="he_normal", name=f"{name}_shortcut"
            )(x)
        x = conv_bn(x, filters, f"{name}_1", strides=strides)
        x = conv_bn(x, filters, f"{name}_2", activation=None)
        return keras.layers.ReLU(name=f"{name}_relu")(keras.layers.Add(name=f"{name}_add")([x, shortcut]))
