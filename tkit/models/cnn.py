"""A plain convolutional network: stages of two 3x3 convolutions and a max pool, then global average pooling.

Source: the VGG pattern (Simonyan and Zisserman 2014) with batch normalization (Ioffe and Szegedy 2015).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from pydantic import Field

from tkit.models import Model, PixelStatistics

if TYPE_CHECKING:
    import keras


class CNN(Model):
    """`depth` stages; each doubles the width and halves the image."""

    kind: Literal["cnn"] = "cnn"
    depth: int = Field(3, ge=1, le=8)
    """Stages of two convolutions."""
    width: int = Field(32, ge=1)
    """Filters of the first stage."""
    dropout: float = Field(0.0, ge=0, lt=1)
    """Share of the pooled features that is dropped in training."""

    def build(self, input_shape: tuple[int, int, int], num_classes: int, statistics: PixelStatistics) -> keras.Model:
        """Float32 raw pixels [batch, height, width, channels] to logits [batch, num_classes]."""
        import keras

        from tkit.models._blocks import conv_bn, pixels

        inputs, x = pixels(input_shape, statistics)
        for stage in range(self.depth):
            for index in range(2):
                x = conv_bn(x, self.width * 2**stage, f"stage{stage + 1}_{index + 1}")
            if stage < self.depth - 1:
                x = keras.layers.MaxPooling2D(padding="same", name=f"stage{stage + 1}_pool")(x)
        x = keras.layers.GlobalAveragePooling2D(name="pool")(x)
        if self.dropout:
            x = keras.layers.Dropout(self.dropout, name="dropout")(x)
        outputs = keras.layers.Dense(num_classes, name="logits", dtype="float32")(x)
        return keras.Model(inputs, outputs, name="cnn")
