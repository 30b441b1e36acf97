"""A plain convolutional network: stages of two 3x3 convolutions and a max pool, then global average pooling.

Source: the VGG pattern (Simonyan and Zisserman 2014) with batch normalization (Ioffe and Szegedy 2015).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from pydantic import Field

from tkit.models import Model, Spec

if TYPE_CHECKING:
    import keras


class CNN(Model):
    """`depth` stages; each doubles the width and halves the image."""

    gives = ("classes", "number")
    kind: Literal["cnn"] = "cnn"
    depth: int = Field(3, ge=1, le=8)
    """Stages of two convolutions."""
    width: int = Field(32, ge=1)
    """Filters of the first stage."""
    dropout: float = Field(0.0, ge=0, lt=1)
    """Share of the pooled features that is dropped in training."""

    def build(self, spec: Spec) -> keras.Model:
        """Float32 raw pixels [batch, height, width, channels] to the outputs of `head`."""
        import keras

        from tkit.models._blocks import conv_bn, head, pixels

        inputs, x = pixels(spec)
        for stage in range(self.depth):
            for index in range(2):
                x = conv_bn(x, self.width * 2**stage, f"stage{stage + 1}_{index + 1}")
            if stage < self.depth - 1:
                x = keras.layers.MaxPooling2D(padding="same", name=f"stage{stage + 1}_pool")(x)
        x = keras.layers.GlobalAveragePooling2D(name="pool")(x)
        if self.dropout:
            x = keras.layers.Dropout(self.dropout, name="dropout")(x)
        return keras.Model(inputs, head(x, spec), name="cnn")
