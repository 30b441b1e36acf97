"""Mirror each image left to right in every other epoch."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from tkit_pipelines.op import Move

if TYPE_CHECKING:
    import tensorflow as tf


class AlternatingFlip(Move):
    """Mirror each image in every other epoch, about half of them in the first.

    Any two epochs in a row show every image both ways, where `flip` shows half of them one way twice
    (K. Jordan 2024, arXiv:2404.00498).
    """

    kind: Literal["alternating_flip"] = "alternating_flip"

    def sources(
        self, rows: tf.Tensor, columns: tf.Tensor, height: int, width: int, seed: tf.Tensor, turn: tf.Tensor
    ) -> tuple[tf.Tensor, tf.Tensor]:
        """Columns counted from the other side."""
        import tensorflow as tf

        return rows, tf.where(turn, width - 1 - columns, columns)
