"""What an augmentation op is. Ops work on whole batches and draw from `tf.random.stateless_*` alone.

`BatchOp`s compute pixels from pixels. Ops that only move or blank pixels (`Move`, `Blank`) are described by
coordinates, and any number of them in a row costs one gather (`tkit_pipelines.spatial`). rows and columns are
separate (separable): int32 [B, H] and [B, W].
"""

from __future__ import annotations

from abc import abstractmethod
from typing import TYPE_CHECKING

from tkit_pipelines.config import Component

if TYPE_CHECKING:
    import tensorflow as tf


class Op(Component):
    """One step of augmentation; a file in `ops/`."""

    def check(self, height: int, width: int) -> None:
        """Raise ValueError, with the reason, where the op can't work on images of this size."""


class BatchOp(Op):
    """An op that computes pixels anew, and labels where it mixes images."""

    @abstractmethod
    def apply(self, images: tf.Tensor, labels: tf.Tensor, seed: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """The batch after the op.

        Args:
            images: uint8 [B, H, W, C], the shape static.
            labels: float32 [B, ...], what is right: of classes [B, classes], each row's sum 1.
            seed: int64 [2], this op's own at this step.

        Returns:
            Both, in the same shapes and dtypes.
        """


class Move(Op):
    """An op that moves whole pixels: flips, shifts, crops."""

    @abstractmethod
    def sources(
        self, rows: tf.Tensor, columns: tf.Tensor, height: int, width: int, seed: tf.Tensor, turn: tf.Tensor
    ) -> tuple[tf.Tensor, tf.Tensor]:
        """Where the pixels at (`rows`, `columns`) of the op's output lie in its input.

        Args:
            rows: int32 [B, H], output rows wanted; columns: int32 [B, W].
            height: Of the images, in pixels; width likewise.
            seed: int64 [2], this op's own at this step.
            turn: bool [B, 1]: alternates every epoch, from a random start per image.

        Returns:
            int32 [B, H] rows and [B, W] columns of the input; what lies outside of the image becomes black.
        """


class Blank(Op):
    """An op that makes a box of pixels black."""

    @abstractmethod
    def covers(
        self, rows: tf.Tensor, columns: tf.Tensor, height: int, width: int, seed: tf.Tensor
    ) -> tuple[tf.Tensor, tf.Tensor]:
        """Which `rows` and `columns` cross the box: bool [B, H] and [B, W]; arguments as in `Move.sources`."""
