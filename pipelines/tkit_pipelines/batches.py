"""Batches: the one at (seed, epoch, step) is a pure function of the three, whatever was drawn before it.

Nothing is shuffled through a buffer: an epoch's order is a permutation drawn from its seed, and every op
draws from (seed, epoch, step, its place in the list). So training continues from any step as if it had never
stopped.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from tkit_pipelines.augment import augment
from tkit_pipelines.balance import Balance, Oversample, class_weights
from tkit_pipelines.dataset import Examples, shareable, stored
from tkit_pipelines.op import Op
from tkit_pipelines.seeds import derive

if TYPE_CHECKING:
    import numpy as np
    import tensorflow as tf

# What a seed is for; two uses never draw the same numbers.
ORDER, AUGMENT, START = 0, 1, 2


class Batches:
    """Shuffled, augmented training batches without end; the remainder of an epoch is dropped.

    Args:
        examples: The images, kept in memory once: TensorFlow reads the array itself where it can, and a
            memory-mapped one from its file.
        num_classes: The width of the one-hot labels.
        batch_size: Images a batch; all of them where there are fewer.
        ops: Augmentation, in order.
        seed: The run's.
        balance: `weights` adds a third element to each batch: float32 [B], each image's weight in the loss, by
            its (mixed) label. `oversample` makes an epoch longer: every class comes as often as the largest.

    Example:
        >>> batches = Batches(splits.train, 10, 128, (Flip(),), seed=0)
        >>> images, labels = batches.batch(epoch=3, step=17)
        >>> for images, labels in batches.dataset(epoch=3, step=17): ...  # the same batch comes first
    """

    def __init__(
        self,
        examples: Examples,
        num_classes: int,
        batch_size: int,
        ops: Sequence[Op],
        seed: int,
        balance: Balance = "none",
    ) -> None:
        import tensorflow as tf

        self.batch_size = min(batch_size, len(examples))
        self._ops = tuple(ops)
        self._num_classes = num_classes
        with tf.device("CPU:0"):
            self._images, self._rows = _tensors(examples.images)
            self._labels = tf.constant(examples.labels)
            self._seed = tf.constant([seed, 0], tf.int64)
            # What each image's turn is in the first epoch: op.Move.sources.
            self._first = tf.random.stateless_uniform([len(examples)], derive(self._seed, START)) < 0.5
            self._oversample = Oversample(examples.labels) if balance == "oversample" else None
            self._weights = tf.constant(class_weights(examples.labels, num_classes)) if balance == "weights" else None
        drawn = len(examples) if self._oversample is None else self._oversample.size
        self.steps_per_epoch = drawn // self.batch_size
        scalar = tf.TensorSpec((), tf.int64)
        self._from = tf.function(self._build, input_signature=[scalar, scalar], autograph=False)

    def batch(self, epoch: int, step: int) -> tuple[tf.Tensor, ...]:
        """One batch, computed now: uint8 [B, H, W, C], one-hot float32 [B, classes] and, if asked for, weights."""
        import tensorflow as tf

        if not 0 <= step < self.steps_per_epoch:
            raise ValueError(f"step={step} is outside of an epoch of {self.steps_per_epoch} steps")
        with tf.device("CPU:0"):
            return self._make(tf.constant(epoch, tf.int64), tf.constant(step, tf.int64), self._order(epoch)[step])

    def dataset(self, epoch: int = 0, step: int = 0) -> tf.data.Dataset:
        """The batches from (`epoch`, `step`) on, epoch after epoch, without end; elements as from `batch`."""
        import tensorflow as tf

        if not 0 <= step < self.steps_per_epoch:
            raise ValueError(f"step={step} is outside of an epoch of {self.steps_per_epoch} steps")
        with tf.device("CPU:0"):
            # What takes longest, tracing the ops, is done by the first call only.
            made = self._from(tf.constant(epoch, tf.int64), tf.constant(step, tf.int64))
            return without_autotuning(tf.data.experimental.from_variant(made, self._structure))

    def _build(self, epoch: tf.Tensor, step: tf.Tensor) -> tf.Tensor:
        """`dataset` as a variant tensor."""
        import tensorflow as tf

        def positions(number: tf.Tensor) -> tf.data.Dataset:
            start = tf.where(number == epoch, step, 0)
            order = tf.data.Dataset.from_tensor_slices(self._order(number)[start:])
            return order.enumerate(start).map(lambda at, indices: (number, at, indices))

        # Plain tracing: AutoGraph would rewrite the ops' Python, slowly, and bury their errors.
        make = tf.autograph.experimental.do_not_convert(self._make)
        epochs = tf.data.Dataset.counter(epoch)
        made = epochs.flat_map(positions).map(make, tf.data.AUTOTUNE, deterministic=True).prefetch(tf.data.AUTOTUNE)
        self._structure = made.element_spec
        return tf.data.experimental.to_variant(made)

    def _order(self, epoch: tf.Tensor | int) -> tf.Tensor:
        """Which images each step of the epoch takes: int32 [steps, B]."""
        import tensorflow as tf

        seed = derive(self._seed, ORDER, epoch)
        if self._oversample is not None:
            shuffled = self._oversample.draw(seed)
        else:
            shuffled = tf.random.experimental.stateless_shuffle(tf.range(len(self._labels)), seed)
        used = self.steps_per_epoch * self.batch_size
        return tf.reshape(shuffled[:used], [self.steps_per_epoch, self.batch_size])

    def _make(self, epoch: tf.Tensor, step: tf.Tensor, indices: tf.Tensor) -> tuple[tf.Tensor, ...]:
        import tensorflow as tf

        seed = derive(self._seed, AUGMENT, epoch, step)
        rows = indices if self._rows is None else tf.gather(self._rows, indices)
        labels = tf.one_hot(tf.gather(self._labels, indices), self._num_classes)
        turn = tf.not_equal(tf.gather(self._first, indices), epoch % 2 == 1)[:, None]
        images, labels = augment(self._images, rows, labels, self._ops, seed, turn)
        return (images, labels) if self._weights is None else (images, labels, tf.linalg.matvec(labels, self._weights))


def in_order(examples: Examples, num_classes: int, batch_size: int) -> tf.data.Dataset:
    """All examples once, unshuffled and unaugmented; the last batch may be smaller.

    Returns:
        A dataset of (uint8 [B, H, W, C], one-hot float32 [B, classes]).
    """
    import tensorflow as tf

    with tf.device("CPU:0"):
        (images, rows), labels = _tensors(examples.images), tf.constant(examples.labels)

        def cut(start: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
            end = start + batch_size
            part = images[start:end] if rows is None else tf.gather(images, rows[start:end])
            return part, tf.one_hot(labels[start:end], num_classes)

        starts = tf.data.Dataset.range(0, len(examples), batch_size)
        made = starts.map(cut, tf.data.AUTOTUNE, deterministic=True).prefetch(tf.data.AUTOTUNE)
        return without_autotuning(made)


def without_autotuning(dataset: tf.data.Dataset) -> tf.data.Dataset:
    """The same elements from as many threads as there are, up to 16, instead of an autotuned number.

    The search's thread sleeps twice as long each time, up to a minute, and an iterator that is done with often waits
    for it to wake (TensorFlow 2.21): up to as long again as it was used.
    """
    import tensorflow as tf

    options = tf.data.Options()
    options.autotune.enabled = False
    return dataset.with_options(options)


def _tensors(images: np.ndarray) -> tuple[tf.Tensor, tf.Tensor | None]:
    """A tensor over the images' own memory, and which of its rows they are (None: all).

    `tf.constant` would copy the data set. Over a memory-mapped file it reads what each batch gathers.
    """
    import tensorflow as tf

    store, rows = stored(images)
    tensor = tf.experimental.dlpack.from_dlpack(shareable(store).__dlpack__())
    return tensor, None if rows is None else tf.constant(rows, tf.int64)
