"""A batch gathered from the data set with its moves and blanks applied, in one gather of pixels.

Rows of the data set are gathered first, then pixels by computed index; blank pixels come from one black pixel at
index 0. What it costs: docs/benchmarks.md.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from tkit_pipelines.op import Blank, Move, Op
from tkit_pipelines.seeds import derive

if TYPE_CHECKING:
    import tensorflow as tf

# Farther out than any coordinate, yet two of them fit int32; so a batch can have no more pixels than this.
FAR = 1 << 28


def gather(
    images: tf.Tensor, indices: tf.Tensor, ops: Sequence[tuple[int, Op]], seed: tf.Tensor, turn: tf.Tensor
) -> tf.Tensor:
    """The images at `indices` after `ops`, in their order.

    Args:
        images: uint8 [N, H, W, C].
        indices: int32 [B], B static.
        ops: `Move` and `Blank` ops, each with its number in the whole list.
        seed: int64 [2]; op number i draws from `derive(seed, i)`.
        turn: bool [B, 1], as in `Move.sources`.

    Returns:
        uint8 [B, H, W, C].
    """
    import tensorflow as tf

    picked = tf.gather(images, indices)
    if not ops:
        return picked
    batch, height, width, channels = picked.shape
    # From the output back to the input, last op first: each one tells where its output's pixels come from.
    rows = tf.broadcast_to(tf.range(height), [batch, height])
    columns = tf.broadcast_to(tf.range(width), [batch, width])
    boxes = []
    for number, op in reversed(ops):
        op_seed = derive(seed, number)
        if isinstance(op, Blank):
            boxes.append(op.covers(rows, columns, height, width, op_seed))
        elif isinstance(op, Move):
            rows, columns = op.sources(rows, columns, height, width, op_seed, turn)
            # What was once outside stays outside, whatever an earlier op does to the coordinate.
            rows = tf.where((rows >= 0) & (rows < height), rows, -FAR)
            columns = tf.where((columns >= 0) & (columns < width), columns, -FAR)
        else:
            raise TypeError(f"{type(op).__name__} is not a Move, a Blank or a BatchOp")

    # Pixel 0 is black, those of the batch follow.
    starts = 1 + tf.range(batch)[:, None] * (height * width) + rows * width
    starts = tf.where(rows >= 0, starts, -FAR)
    index = starts[:, :, None] + columns[:, None, :]
    for box_rows, box_columns in boxes:
        # 0 where both cross the box, more than any index elsewhere.
        limit = tf.where(box_rows, FAR, 2 * FAR)[:, :, None] - tf.where(box_columns, FAR, 0)[:, None, :]
        index = tf.minimum(index, limit)
    black = tf.zeros([1, channels], tf.uint8)
    pixels = tf.concat([black, tf.reshape(picked, [-1, channels])], axis=0)
    return tf.gather(pixels, tf.maximum(index, 0))
