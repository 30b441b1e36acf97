"""A few random changes to each image: turn, shear, shift, brightness, contrast, levels."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Literal

from pydantic import Field, PositiveInt

from tkit_pipelines.op import BatchOp
from tkit_pipelines.pixels import mean_luma
from tkit_pipelines.seeds import derive

if TYPE_CHECKING:
    import tensorflow as tf

MOVES = ("rotate", "shear_x", "shear_y", "translate_x", "translate_y")
TABLES = ("identity", "brightness", "contrast", "posterize", "solarize", "autocontrast")
ALL = (*MOVES, *TABLES)
# What magnitude 1 means: a turn of 30 degrees, a shear of 0.3, a shift by 0.3 of the size, factors of 1 +- 0.9.
TURN, SHEAR, SHIFT, FACTOR = math.radians(30), 0.3, 0.3, 0.9


class RandAugment(BatchOp):
    """`layers` times, each image goes through one of eleven changes, drawn at random, of the given strength.

    After Cubuk et al. 2019 (arXiv:1909.13719), but drawn for each image and made for whole batches: changes that
    move pixels are one gather by the nearest pixel (black from outside), those of values one table look-up a
    channel. Colour (saturation), sharpness and equalization of the original are not among them.
    """

    kind: Literal["randaugment"] = "randaugment"
    layers: PositiveInt = 2
    """Changes made to each image, one after the other."""
    magnitude: float = Field(default=0.5, ge=0, le=1)
    """Strength from none to most; the sign of a change is random."""

    def apply(self, images: tf.Tensor, labels: tf.Tensor, seed: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """Other pixels, the same labels."""
        import tensorflow as tf

        count = images.shape[0]
        for layer in range(self.layers):
            draw = derive(seed, layer)
            choice = tf.random.stateless_uniform([count], derive(draw, 0), 0, len(ALL), tf.int32)
            sign = tf.where(tf.random.stateless_uniform([count], derive(draw, 1)) < 0.5, -1.0, 1.0)
            images = self._looked_up(self._moved(images, choice, sign), choice, sign)
        return images, labels

    def _moved(self, images: tf.Tensor, choice: tf.Tensor, sign: tf.Tensor) -> tf.Tensor:
        """Images whose choice moves pixels, moved; the nearest pixel of the input for each of the output."""
        import tensorflow as tf

        count, height, width, channels = images.shape

        def amount(name: str, most: float) -> tf.Tensor:
            return tf.where(choice == ALL.index(name), sign * self.magnitude * most, 0.0)[:, None, None]

        angle = amount("rotate", TURN)
        down = (tf.range(height, dtype=tf.float32) - (height - 1) / 2)[None, :, None]
        right = (tf.range(width, dtype=tf.float32) - (width - 1) / 2)[None, None, :]
        rows = tf.cos(angle) * down + (tf.sin(angle) + amount("shear_y", SHEAR)) * right
        columns = tf.cos(angle) * right + (amount("shear_x", SHEAR) - tf.sin(angle)) * down
        rows = tf.cast(tf.round(rows + amount("translate_y", SHIFT) * height + (height - 1) / 2), tf.int32)
        columns = tf.cast(tf.round(columns + amount("translate_x", SHIFT) * width + (width - 1) / 2), tf.int32)
        inside = (rows >= 0) & (rows < height) & (columns >= 0) & (columns < width)
        index = (tf.range(count)[:, None, None] * height + rows) * width + columns
        black = tf.zeros([1, channels], tf.uint8)
        pixels = tf.concat([black, tf.reshape(images, [-1, channels])], axis=0)
        return tf.gather(pixels, tf.where(inside, index + 1, 0))

    def _looked_up(self, images: tf.Tensor, choice: tf.Tensor, sign: tf.Tensor) -> tf.Tensor:
        """Images whose choice changes values, changed, by a table of 256 values for each image and channel."""
        import tensorflow as tf

        count, _, _, channels = images.shape
        level = tf.range(256, dtype=tf.float32)[None, None, :]
        factor = (1 + sign * self.magnitude * FACTOR)[:, None, None]
        mean = mean_luma(tf.cast(images, tf.float32))[:, None, None]
        low = tf.cast(tf.reduce_min(images, axis=(1, 2)), tf.float32)[..., None]
        high = tf.cast(tf.reduce_max(images, axis=(1, 2)), tf.float32)[..., None]
        coarse = 2.0 ** round(4 * self.magnitude)  # of 256 levels 16 are left at most magnitude
        tables = {
            "brightness": level * factor,
            "contrast": mean + (level - mean) * factor,
            "posterize": tf.floor(level / coarse) * coarse,
            "solarize": tf.where(level >= 256 * (1 - self.magnitude), 255 - level, level),
            "autocontrast": tf.where(high > low, (level - low) * 255 / tf.maximum(high - low, 1), level),
        }
        table = tf.broadcast_to(level, [count, channels, 256])
        for name, values in tables.items():
            table = tf.where((choice == ALL.index(name))[:, None, None], values, table)
        flat = tf.reshape(tf.cast(tf.clip_by_value(tf.round(table), 0, 255), tf.uint8), [-1])
        first = tf.reshape(tf.range(count * channels) * 256, [count, 1, 1, channels])
        return tf.gather(flat, first + tf.cast(images, tf.int32))
