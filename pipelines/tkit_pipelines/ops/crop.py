"""Pad images with their own mirrored border and crop them back at a random place."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from pydantic import Field

from tkit_pipelines.op import Move

if TYPE_CHECKING:
    import tensorflow as tf


class Crop(Move):
    """Pad by reflection, then cut the old size out at random: `translate` without black borders."""

    kind: Literal["crop"] = "crop"
    padding: int = Field(default=4, ge=1)
    """Pixels added on each side; they mirror the image, the border pixel itself not repeated."""

    def check(self, height: int, width: int) -> None:
        """A mirror image is no larger than the image."""
        if self.padding >= min(height, width):
            raise ValueError(f"crop: padding={self.padding} must be less than the image's size, {height}x{width}")

    def sources(
        self, rows: tf.Tensor, columns: tf.Tensor, height: int, width: int, seed: tf.Tensor, turn: tf.Tensor
    ) -> tuple[tf.Tensor, tf.Tensor]:
        """Coordinates plus the crop's offset, folded back at the borders."""
        import tensorflow as tf

        offset = tf.random.stateless_uniform(
            [2, rows.shape[0], 1], seed, -self.padding, self.padding + 1, dtype=tf.int32
        )

        def inside(coordinates: tf.Tensor, size: int) -> tf.Tensor:
            return (size - 1) - tf.abs((size - 1) - tf.abs(coordinates))

        def moved(coordinates: tf.Tensor, shift: tf.Tensor, size: int) -> tf.Tensor:
            # A coordinate that a later op left outside is not mirrored back in.
            return tf.where(coordinates >= 0, inside(coordinates + shift, size), coordinates)

        return moved(rows, offset[0], height), moved(columns, offset[1], width)
