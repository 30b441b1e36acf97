"""Mix each image with another of the batch, and their labels alike."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from pydantic import Field

from tkit_pipelines.op import BatchOp
from tkit_pipelines.pixels import beta, per_image, to_uint8
from tkit_pipelines.seeds import derive

if TYPE_CHECKING:
    import tensorflow as tf


class Mixup(BatchOp):
    """Each image becomes share x itself + (1 - share) x a partner, its label likewise.

    The share is drawn for each image from Beta(alpha, alpha); the partners are the batch in another order.

    Source: Zhang et al. 2017, arXiv:1710.09412.
    """

    kind: Literal["mixup"] = "mixup"
    alpha: float = Field(default=0.2, gt=0)
    """Small: most images stay nearly themselves; 1: every share is as likely."""

    def apply(self, images: tf.Tensor, labels: tf.Tensor, seed: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """Mixed pixels, rounded, and mixed labels."""
        import tensorflow as tf

        count = images.shape[0]
        share = beta(self.alpha, count, derive(seed, 0))
        partners = tf.random.experimental.stateless_shuffle(tf.range(count), derive(seed, 1))

        def mixed(own: tf.Tensor) -> tf.Tensor:
            other = tf.gather(own, partners)
            return other + per_image(share, own) * (own - other)

        return to_uint8(mixed(tf.cast(images, tf.float32))), mixed(labels)
