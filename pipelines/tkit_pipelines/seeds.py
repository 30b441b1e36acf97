"""Seeds for `tf.random.stateless_*`, derived from one another."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import tensorflow as tf


def derive(seed: tf.Tensor, *parts: tf.Tensor | int) -> tf.Tensor:
    """The seed (int64 [2]) for the use of `seed` that the integers `parts` name, one after the other.

    `tf.random.fold_in` takes the dtype of what is folded in, and gives another seed for a Python 3 (int32)
    than for an int64 tensor of 3; here both are int64, so that eager code and tf.data draw the same.
    """
    import tensorflow as tf

    for part in parts:
        seed = tf.random.fold_in(seed, tf.cast(part, tf.int64))
    return seed
