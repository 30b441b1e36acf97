"""Mirror half of the images, left to right."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from tkit_pipelines.op import Move

if TYPE_CHECKING:
    import tensorflow as tf


class Flip(Move):
    """Mirror each image left to right, with probability one half."""

    kind: Literal["flip"] = "flip"

    def sources(
        self, rows: tf.Tensor, columns: tf.Tensor, height: int, width: int, seed: tf.Tensor, turn: tf.Tensor
    ) -> tuple[tf.Tensor, tf.Tensor]:
        """Columns counted from the other side."""
        import tensorflow as tf

        mirrored = tf.random.stateless_uniform([rows.shape[0], 1], seed) < 0.5
        return rows, tf.where(mirrored, width - 1 - columns, columns)
