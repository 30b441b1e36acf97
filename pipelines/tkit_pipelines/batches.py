"""Batches: the one at (seed, epoch, step) is a pure function of the three, whatever was drawn before it.

Nothing is shuffled through a buffer: an epoch's order is a permutation drawn from its seed, and every op
draws from (seed, epoch, step, its place in the list). So training continues from any step as if it had never
stopped. Where examples differ in size (`Data.sizes`), each batch is of like ones, and the batches are shuffled.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, TypeAlias

from tkit_pipelines.balance import Oversample, class_weights
from tkit_pipelines.dataset import Examples, shareable, stored
from tkit_pipelines.seeds import derive

if TYPE_CHECKING:
    import tensorflow as tf

    from tkit_pipelines.data import Data

Encode: TypeAlias = "Callable[[dict[str, tf.Tensor]], tf.Tensor]"
"""From a batch's target columns ({"label": int32 [B]}) to what a loss compares with: float32 [B, ...]."""
# What a seed is for; two uses never draw the same numbers.
ORDER, AUGMENT, START, BATCHES = 0, 1, 2, 3


class Batches:
    """Shuffled, augmented training batches without end; the remainder of an epoch is dropped.

    A batch is (x, y): x a tensor where there is one input column, else a dict by name; y what `encode` makes of the
    target column. It is (x,) for data without a target. With `data.balance=weights` a third element follows: float32
    [B], each example's weight in the loss, by its (mixed) label; with `oversample` an epoch is longer: every class
    comes as often as the largest.

    Args:
        examples: Kept in memory once: TensorFlow reads the arrays themselves where it can, and a memory-mapped one
            from its file.
        data: How they are fed. A batch holds `data.batch_size` examples, or all of them where there are fewer.
        encode: The targets' form; one-hot [B, classes] where classes are evened out or mixed.
        seed: The run's.

    Example:
        >>> batches = Batches(splits.train, data, lambda columns: tf.one_hot(columns["label"], 10), seed=0)
        >>> images, labels = batches.batch(epoch=3, step=17)
        >>> for images, labels in batches.dataset(epoch=3, step=17): ...  # the same batch comes first
    """

    def __init__(self, examples: Examples, data: Data, encode: Encode, seed: int) -> None:
        import tensorflow as tf

        self.batch_size, self.seed = min(data.batch_size, len(examples)), seed
        self._data, self._encode = data, encode
        self._count = len(examples)
        self._oversample = self._weights = None
        sizes = data.sizes(examples)
        with tf.device("CPU:0"):
            self._inputs, self._targets = _tensors(examples, data.target)
            self._seed = tf.constant([seed, 0], tf.int64)
            self._sizes = None if sizes is None else tf.constant(sizes, tf.int32)
            # What each example's turn is in the first epoch: op.Move.sources.
            self._first = tf.random.stateless_uniform([self._count], derive(self._seed, START)) < 0.5
            if data.balance == "oversample":
                self._oversample = Oversample(examples.labels)
            elif data.balance == "weights":
                classes = encode({"label": tf.constant(examples.labels[:1])}).shape[1]
                self._weights = tf.constant(class_weights(examples.labels, classes))
        drawn = self._count if self._oversample is None else self._oversample.size
        self.steps_per_epoch = drawn // self.batch_size
        scalar = tf.TensorSpec((), tf.int64)
        self._from = tf.function(self._build, input_signature=[scalar, scalar], autograph=False)

    def batch(self, epoch: int, step: int) -> tuple[tf.Tensor, ...]:
        """One batch, computed now."""
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
        """Which examples each step of the epoch takes: int32 [steps, B]."""
        import tensorflow as tf

        seed = derive(self._seed, ORDER, epoch)
        if self._oversample is not None:
            shuffled = self._oversample.draw(seed)
        else:
            shuffled = tf.random.experimental.stateless_shuffle(tf.range(self._count), seed)
        used = shuffled[: self.steps_per_epoch * self.batch_size]
        if self._sizes is None:
            return tf.reshape(used, [self.steps_per_epoch, self.batch_size])
        # A stable sort: examples of one size stay shuffled.
        alike = tf.gather(used, tf.argsort(tf.gather(self._sizes, used), stable=True))
        batches = tf.reshape(alike, [self.steps_per_epoch, self.batch_size])
        return tf.random.experimental.stateless_shuffle(batches, derive(self._seed, BATCHES, epoch))

    def _make(self, epoch: tf.Tensor, step: tf.Tensor, indices: tf.Tensor) -> tuple[tf.Tensor, ...]:
        import tensorflow as tf

        seed = derive(self._seed, AUGMENT, epoch, step)
        columns = {name: (column, _rows(rows, indices)) for name, (column, rows) in self._inputs.items()}
        targets = self._encode(_taken(self._targets, indices)) if self._targets else None
        turn = tf.not_equal(tf.gather(self._first, indices), epoch % 2 == 1)[:, None]
        inputs, targets = self._data.gather(columns, targets, seed, turn)
        batch = _batch(inputs, targets)
        return batch if self._weights is None else (*batch, tf.linalg.matvec(targets, self._weights))


def in_order(examples: Examples, data: Data, encode: Encode, batch_size: int | None = None) -> tf.data.Dataset:
    """All examples once, unshuffled and unaugmented; the last batch may be smaller.

    Returns:
        A dataset of (x, y), or (x,), as those of `Batches`.
    """
    import tensorflow as tf

    size = batch_size or data.batch_size
    with tf.device("CPU:0"):
        inputs, targets = _tensors(examples, data.target)

        def cut(start: tf.Tensor) -> tuple[tf.Tensor, ...]:
            part = slice(start, start + size)
            return _batch(_cut(inputs, part), encode(_cut(targets, part)) if targets else None)

        starts = tf.data.Dataset.range(0, len(examples), size)
        make = tf.autograph.experimental.do_not_convert(cut)
        made = starts.map(make, tf.data.AUTOTUNE, deterministic=True).prefetch(tf.data.AUTOTUNE)
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


_Columns: TypeAlias = "dict[str, tuple[tf.Tensor, tf.Tensor | None]]"
"""By name, a tensor and which of its rows a column is (None: all)."""


def _tensors(examples: Examples, target: str | None) -> tuple[_Columns, _Columns]:
    """The input columns and the target column, as tensors over their own memory.

    `tf.constant` would copy the data set. Over a memory-mapped file a tensor reads what each batch gathers.
    """
    import tensorflow as tf

    inputs: _Columns = {}
    targets: _Columns = {}
    for name, column in examples.columns.items():
        store, rows = stored(column)
        tensor = tf.experimental.dlpack.from_dlpack(shareable(store).__dlpack__())
        (targets if name == target else inputs)[name] = tensor, None if rows is None else tf.constant(rows, tf.int64)
    return inputs, targets


def _rows(rows: tf.Tensor | None, indices: tf.Tensor) -> tf.Tensor:
    """Where the examples at `indices` are in the tensor that holds them."""
    import tensorflow as tf

    return indices if rows is None else tf.gather(rows, indices)


def _taken(columns: _Columns, indices: tf.Tensor) -> dict[str, tf.Tensor]:
    import tensorflow as tf

    return {name: tf.gather(column, _rows(rows, indices)) for name, (column, rows) in columns.items()}


def _cut(columns: _Columns, part: slice) -> dict[str, tf.Tensor]:
    import tensorflow as tf

    return {
        name: column[part] if rows is None else tf.gather(column, rows[part])
        for name, (column, rows) in columns.items()
    }


def _batch(inputs: dict[str, tf.Tensor], targets: tf.Tensor | None) -> tuple[tf.Tensor, ...]:
    """(x, y) as Keras takes it: one input alone, several by name."""
    x = next(iter(inputs.values())) if len(inputs) == 1 else inputs
    return (x,) if targets is None else (x, targets)
