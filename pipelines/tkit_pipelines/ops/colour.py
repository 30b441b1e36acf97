"""Vary brightness, contrast and saturation."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from pydantic import Field

from tkit_pipelines.op import BatchOp
from tkit_pipelines.pixels import LUMA, mean_luma, to_uint8

if TYPE_CHECKING:
    import tensorflow as tf


class Colour(BatchOp):
    """Scale each image's brightness, then contrast around its mean luma, then saturation, by factors around 1.

    Each factor is uniform in [1 - x, 1 + x], drawn for each image. Rounded and cut off once, at the end.
    """

    kind: Literal["colour"] = "colour"
    brightness: float = Field(default=0.2, ge=0, le=1)
    """x of the brightness factor; 0 leaves it."""
    contrast: float = Field(default=0.2, ge=0, le=1)
    """x of the contrast factor; 0 leaves it."""
    saturation: float = Field(default=0.2, ge=0, le=1)
    """x of the saturation factor; 0 leaves it. Grey images have none."""

    def apply(self, images: tf.Tensor, labels: tf.Tensor, seed: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """Other pixels, the same labels."""
        import tensorflow as tf

        count, height, width, channels = images.shape
        spread = tf.constant([self.brightness, self.contrast, self.saturation])[:, None]
        brightness, contrast, saturation = tf.unstack(1 + spread * tf.random.stateless_uniform([3, count], seed, -1, 1))
        values = tf.cast(images, tf.float32)
        # All three at once: a linear map of each pixel's channels, and a constant an image.
        offset = brightness * mean_luma(values) * (1 - contrast)
        scale = (brightness * contrast)[:, None, None]
        if channels == 3:
            grey = tf.broadcast_to(tf.constant(LUMA)[:, None], [3, 3])
            kept = saturation[:, None, None]
            scale *= kept * tf.eye(3) + (1 - kept) * grey
        values = tf.matmul(tf.reshape(values, [count, height * width, channels]), scale) + offset[:, None, None]
        return to_uint8(tf.reshape(values, images.shape)), labels
