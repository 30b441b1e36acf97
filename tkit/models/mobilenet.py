"""MobileNetV2 for images of 32x32 and up: inverted residuals of depthwise-separable convolutions, ReLU6.

Source: Sandler et al. 2018, "MobileNetV2: Inverted Residuals and Linear Bottlenecks", table 2. `output_stride` is their
32 for large images; smaller values remove strides from the front, the usual way to apply the network at 32x32.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Literal, NamedTuple

from pydantic import Field

from tkit.models import Model, Spec

if TYPE_CHECKING:
    import keras


class _Stage(NamedTuple):
    filters: int
    blocks: int
    strides: int


# The paper's table 2; the first block of a stage has its strides.
_STEM, _HEAD = 32, 1280
_STAGES = (
    _Stage(16, 1, 1),
    _Stage(24, 2, 2),
    _Stage(32, 3, 2),
    _Stage(64, 4, 2),
    _Stage(96, 3, 1),
    _Stage(160, 3, 2),
    _Stage(320, 1, 1),
)
_PAPER_STRIDE = 32


class MobileNet(Model):
    """MobileNetV2 with a width and a depth multiplier."""

    gives = ("classes", "number")
    kind: Literal["mobilenet"] = "mobilenet"
    width: float = Field(1.0, gt=0, le=4)
    """Multiplies the filters of every layer, those of the last layer only if above 1; rounded to multiples of 8."""
    depth: float = Field(1.0, gt=0, le=4)
    """Multiplies the blocks of every stage, rounded up."""
    expansion: int = Field(6, ge=1)
    """Expansion factor of a block's inner width."""
    output_stride: Literal[4, 8, 16, 32] = 32
    """How many times smaller than the image the last feature map is: 32 for 224x224, 8 for 32x32."""
    dropout: float = Field(0.0, ge=0, lt=1)
    """Share of the pooled features that is dropped in training."""

    def build(self, spec: Spec) -> keras.Model:
        """Float32 raw pixels [batch, height, width, channels] to the outputs of `head`."""
        import keras

        from tkit.models._blocks import conv_bn, head, pixels

        surplus = _PAPER_STRIDE // self.output_stride  # the strides that are still to be removed
        inputs, x = pixels(spec)
        stem_strides, surplus = _stride(2, surplus)
        x = conv_bn(x, self._filters(_STEM), "stem", strides=stem_strides, activation="relu6")
        for number, stage in enumerate(_STAGES, 1):
            strides, surplus = _stride(stage.strides, surplus)
            for block in range(math.ceil(stage.blocks * self.depth)):
                x = self._block(
                    x,
                    self._filters(stage.filters),
                    strides if block == 0 else 1,
                    self.expansion if number > 1 else 1,
                    f"stage{number}_block{block + 1}",
                )
        x = conv_bn(x, max(_HEAD, self._filters(_HEAD)), "head", kernel=1, activation="relu6")
        x = keras.layers.GlobalAveragePooling2D(name="pool")(x)
        if self.dropout:
            x = keras.layers.Dropout(self.dropout, name="dropout")(x)
        return keras.Model(inputs, head(x, spec), name="mobilenet")

    def _filters(self, filters: int) -> int:
        """Multiplied by the width and rounded to a multiple of 8, never below nine tenths."""
        wanted = filters * self.width
        rounded = max(8, int(wanted + 4) // 8 * 8)
        return rounded + 8 if rounded < 0.9 * wanted else rounded

    def _block(self, x: keras.KerasTensor, filters: int, strides: int, expansion: int, name: str) -> keras.KerasTensor:
        import keras

        from tkit.models._blocks import conv_bn, depthwise_bn

        shortcut = x
        if expansion > 1:
            x = conv_bn(x, expansion * x.shape[-1], f"{name}_expand", kernel=1, activation="relu6")
        x = depthwise_bn(x, f"{name}_depthwise", strides=strides, activation="relu6")
        x = conv_bn(x, filters, f"{name}_project", kernel=1, activation=None)
        if strides == 1 and shortcut.shape[-1] == filters:
            x = keras.layers.Add(name=f"{name}_add")([shortcut, x])
        return x


def _stride(strides: int, surplus: int) -> tuple[int, int]:
    """The strides that a layer keeps while `surplus` is to be removed, and the remaining surplus."""
    return (1, surplus // strides) if strides <= surplus else (strides, surplus)
