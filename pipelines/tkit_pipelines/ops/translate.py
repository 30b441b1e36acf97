"""Shift images by a few pixels each way; what comes in at the border is black."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from pydantic import Field

from tkit_pipelines.op import Move

if TYPE_CHECKING:
    import tensorflow as tf


class Translate(Move):
    """Shift each image by whole pixels, down and right or up and left, independently and uniformly.

    The same as padding with black and cropping at random (He et al. 2015, arXiv:1512.03385, with 4 pixels).
    """

    kind: Literal["translate"] = "translate"
    pixels: int = Field(default=4, ge=1)
    """The longest shift along each axis."""

    def check(self, height: int, width: int) -> None:
        """A shift must leave some of the image."""
        if self.pixels >= min(height, width):
            raise ValueError(f"translate: pixels={self.pixels} moves a {height}x{width} image out of itself")

    def sources(
        self, rows: tf.Tensor, columns: tf.Tensor, height: int, width: int, seed: tf.Tensor, turn: tf.Tensor
    ) -> tuple[tf.Tensor, tf.Tensor]:
        """Coordinates less the shift."""
        import tensorflow as tf

        shift = tf.random.stateless_uniform([2, rows.shape[0], 1], seed, -self.pixels, self.pixels + 1, dtype=tf.int32)
        return rows - shift[0], columns - shift[1]
