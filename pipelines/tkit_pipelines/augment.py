"""A batch taken from the data set and put through its ops, in their order.

Ops in a row that only move or blank pixels cost one gather (`spatial`); the others are applied to the batch one by one.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby
from typing import TYPE_CHECKING

from tkit_pipelines import spatial
from tkit_pipelines.op import BatchOp, Op
from tkit_pipelines.seeds import derive

if TYPE_CHECKING:
    import tensorflow as tf


def augment(
    images: tf.Tensor, rows: tf.Tensor, labels: tf.Tensor, ops: Sequence[Op], seed: tf.Tensor, turn: tf.Tensor
) -> tuple[tf.Tensor, tf.Tensor]:
    """The images at `rows` and their labels after `ops`.

    Args:
        images: uint8 [N, H, W, C].
        rows: int [B], B static.
        labels: float32 [B, ...], as in `BatchOp.apply`.
        ops: In order; op i draws from `derive(seed, i)`.
        seed: int64 [2].
        turn: bool [B, 1], as in `Move.sources`.

    Returns:
        uint8 [B, H, W, C] and float32 [B, ...].
    """
    import tensorflow as tf

    taken = False
    for pixelwise, group in groupby(enumerate(ops), key=lambda numbered: isinstance(numbered[1], BatchOp)):
        numbered = list(group)
        if not pixelwise:
            images = spatial.gather(images, tf.range(rows.shape[0]) if taken else rows, numbered, seed, turn)
            taken = True
            continue
        if not taken:
            images, taken = tf.gather(images, rows), True
        for number, op in numbered:
            assert isinstance(op, BatchOp)
            images, labels = op.apply(images, labels, derive(seed, number))
    return (images if taken else tf.gather(images, rows)), labels
