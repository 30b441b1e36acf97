"""Cut a random part out of each image and stretch it back to the full size."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Literal

from pydantic import Field

from tkit_pipelines.op import BatchOp
from tkit_pipelines.pixels import to_uint8
from tkit_pipelines.seeds import derive

if TYPE_CHECKING:
    import tensorflow as tf


class RandomResizedCrop(BatchOp):
    """A box of random area, shape and place, stretched to the image's size by bilinear interpolation.

    Area and the logarithm of the box's shape are uniform; a side longer than the image is cut to it.

    Source: Szegedy et al. 2014, arXiv:1409.4842.
    """

    kind: Literal["random_resized_crop"] = "random_resized_crop"
    smallest: float = Field(default=0.35, gt=0, le=1)
    """The least part of the image's area that the box has; the most is 1."""
    ratio: float = Field(default=4 / 3, ge=1)
    """The box's width over its height, relative to the image's, lies between 1 / ratio and ratio."""

    def apply(self, images: tf.Tensor, labels: tf.Tensor, seed: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """Other pixels, the same labels."""
        import tensorflow as tf

        count, height, width, channels = images.shape
        area = tf.random.stateless_uniform([count], derive(seed, 0), self.smallest, 1)
        stretch = tf.exp(tf.random.stateless_uniform([count], derive(seed, 1), -1, 1) * (math.log(self.ratio) / 2))
        place = tf.random.stateless_uniform([2, count], derive(seed, 2))

        def weights(size: int, part: tf.Tensor, place: tf.Tensor) -> tf.Tensor:
            """How much of each input row (or column) each output one takes: [B, size, size], two in each not 0."""
            length = tf.minimum(part, 1) * size
            step = (tf.range(size, dtype=tf.float32) + 0.5) / size
            at = (place * (size - length))[:, None] + step * length[:, None] - 0.5
            at = tf.clip_by_value(at, 0, size - 1)
            return tf.nn.relu(1 - tf.abs(at[:, :, None] - tf.range(size, dtype=tf.float32)))

        # Products of small matrices: faster than gathering four pixels for each, and exact in any order of summation,
        # since all but two terms are 0.
        values = tf.reshape(tf.cast(images, tf.float32), [count, height, width * channels])
        values = tf.matmul(weights(height, tf.sqrt(area) / stretch, place[0]), values)
        values = tf.transpose(tf.reshape(values, [count, height, width, channels]), [0, 2, 1, 3])
        values = tf.reshape(values, [count, width, height * channels])
        values = tf.matmul(weights(width, tf.sqrt(area) * stretch, place[1]), values)
        values = tf.transpose(tf.reshape(values, [count, width, height, channels]), [0, 2, 1, 3])
        return to_uint8(values), labels
