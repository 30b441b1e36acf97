"""Black out a square of each image."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from pydantic import Field

from tkit_pipelines.op import Blank
from tkit_pipelines.seeds import derive

if TYPE_CHECKING:
    import tensorflow as tf


class Cutout(Blank):
    """Black out a square around a random pixel; near the border part of it falls outside.

    Source: DeVries and Taylor 2017, arXiv:1708.04552.
    """

    kind: Literal["cutout"] = "cutout"
    size: int = Field(default=8, ge=1)
    """The square's side in pixels."""

    def check(self, height: int, width: int) -> None:
        """A square as large as the image could black it out whole."""
        if self.size >= min(height, width):
            raise ValueError(f"cutout: size={self.size} must be less than the image's size, {height}x{width}")

    def covers(
        self, rows: tf.Tensor, columns: tf.Tensor, height: int, width: int, seed: tf.Tensor
    ) -> tuple[tf.Tensor, tf.Tensor]:
        """Rows and columns from half the size before the centre on."""
        import tensorflow as tf

        def crosses(coordinates: tf.Tensor, size: int, axis: int) -> tf.Tensor:
            shape = [coordinates.shape[0], 1]
            centre = tf.random.stateless_uniform(shape, derive(seed, axis), 0, size, dtype=tf.int32)
            first = centre - self.size // 2
            return (coordinates >= first) & (coordinates < first + self.size)

        return crosses(rows, height, 0), crosses(columns, width, 1)
