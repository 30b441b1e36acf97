"""Paste a box of another image of the batch into each, and mix the labels by area."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from pydantic import Field

from tkit_pipelines.op import BatchOp
from tkit_pipelines.pixels import beta, per_image
from tkit_pipelines.seeds import derive

if TYPE_CHECKING:
    import tensorflow as tf


class Cutmix(BatchOp):
    """A box of each image is replaced by the same box of a partner; labels count by the area that each has.

    The box covers a share of the image drawn from Beta(alpha, alpha), around a random pixel; what falls outside is
    cut off, and the label goes by what is left. The partners are the batch in another order.

    Source: Yun et al. 2019, arXiv:1905.04899.
    """

    kind: Literal["cutmix"] = "cutmix"
    alpha: float = Field(default=1.0, gt=0)
    """1: every area is as likely; smaller: either little or nearly all of it."""

    def apply(self, images: tf.Tensor, labels: tf.Tensor, seed: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """Pixels of one image or the other, and mixed labels."""
        import tensorflow as tf

        count, height, width, _ = images.shape
        side = tf.sqrt(beta(self.alpha, count, derive(seed, 0)))[:, None]
        partners = tf.random.experimental.stateless_shuffle(tf.range(count), derive(seed, 1))
        centre = tf.random.stateless_uniform([2, count, 1], derive(seed, 2))

        def crosses(size: int, axis: int) -> tf.Tensor:
            """Which rows or columns cross the box: bool [B, size]."""
            length = tf.round(side * size)
            first = tf.floor(centre[axis] * size) - tf.floor(length / 2)
            place = tf.range(size, dtype=tf.float32)
            return (place >= first) & (place < first + length)

        rows, columns = crosses(height, 0), crosses(width, 1)
        box = rows[:, :, None] & columns[:, None, :]
        pasted = per_image(tf.reduce_mean(tf.cast(box, tf.float32), axis=(1, 2)), labels)
        pixels = tf.where(box[..., None], tf.gather(images, partners), images)
        return pixels, labels + pasted * (tf.gather(labels, partners) - labels)
