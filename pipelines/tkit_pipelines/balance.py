"""Uneven classes evened out: by each image's weight in the loss, or by drawing those of small classes more often."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import numpy as np

from tkit_pipelines.seeds import derive

if TYPE_CHECKING:
    import tensorflow as tf

Balance = Literal["none", "weights", "oversample"]


def class_weights(labels: np.ndarray, num_classes: int) -> np.ndarray:
    """float32 [classes]: weights that make every class count the same, with mean 1 over the images.

    The same as scikit-learn's `class_weight="balanced"`. Classes without images weigh 0.
    """
    counts = np.bincount(labels, minlength=num_classes)
    present = np.count_nonzero(counts)
    return np.where(counts > 0, len(labels) / (present * np.maximum(counts, 1)), 0).astype(np.float32)


class Oversample:
    """An epoch in which every class comes as often as the largest.

    Each image comes as often as it goes into that number; what is left is drawn anew each epoch, from each class
    without repetition.

    Args:
        labels: int [N].
    """

    def __init__(self, labels: np.ndarray) -> None:
        import tensorflow as tf

        counts = np.bincount(labels)
        counts = counts[counts > 0]
        largest = int(counts.max())
        by_class = np.argsort(labels, kind="stable").astype(np.int32)
        starts = np.cumsum(counts) - counts
        self.size = largest * len(counts)
        """Images an epoch."""
        self._every_epoch = tf.constant(np.repeat(by_class, np.repeat(largest // counts, counts)))
        self._classes = tf.constant(labels, tf.float64)
        # In an order that is by class and random inside each, the first so many of each class.
        places = [start + np.arange(largest % count) for start, count in zip(starts, counts, strict=True)]
        self._places = tf.constant(np.concatenate(places), tf.int32)

    def draw(self, seed: tf.Tensor) -> tf.Tensor:
        """The epoch's images in random order: int32 [size]; `seed` is the epoch's, int64 [2]."""
        import tensorflow as tf

        keys = self._classes + tf.random.stateless_uniform(self._classes.shape, derive(seed, 0), dtype=tf.float64)
        drawn = tf.gather(tf.argsort(keys, stable=True), self._places)
        both = tf.concat([self._every_epoch, drawn], axis=0)
        return tf.random.experimental.stateless_shuffle(both, derive(seed, 1))
