"""A `tf.data.Dataset` or `keras.utils.PyDataset`, read once into arrays."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from tkit.in_memory.arrays import Inputs, Part, array, inputs
from tkit_edge.errors import InputError
from tkit_pipelines.cache import size_text
from tkit_pipelines.memory import ram_budget
from tkit_pipelines.progress import progress

IsExample = Callable[[str | int, tuple[int, ...]], bool]
"""Whether a shape is that of one example of an input (by its name or position), rather than of a batch of them."""


def is_dataset(value: Any) -> bool:
    """Whether this is a data set of TensorFlow's or Keras's."""
    return isinstance(value, (tf.data.Dataset, keras.utils.PyDataset))


def read(dataset: tf.data.Dataset | keras.utils.PyDataset, is_example: IsExample) -> Part:
    """All that one pass over a data set gives, batched or not.

    Raises:
        InputError: it doesn't end or has no examples, its examples have different shapes, or aren't (x, y).
    """
    xs: list[Inputs] = []
    ys: list[np.ndarray] = []
    size, limit = 0, ram_budget()
    count, elements = _elements(dataset)
    with progress("reading the data set", count) as advance:
        for element in elements:
            x, y = _pair(element)
            if (y is None and ys) or (y is not None and xs and not ys):
                raise InputError("The data set gives some examples with labels and some without.")
            if not xs:
                single = (y is not None and not y.ndim) or all(is_example(*item) for item in _shapes(x))
            if single:
                x, y = {name: value[None] for name, value in x.items()}, None if y is None else y[None]
            xs.append(x)
            ys += [] if y is None else [y]
            size += sum(value.nbytes for value in x.values())
            if size > limit:
                raise InputError(
                    f"The data set has given {size_text(size)} and hasn't ended: more than the RAM budget of "
                    f"{size_text(limit)} (TKIT_RAM, in GiB). Take a part of it: dataset.take(n)"
                )
            advance(1)
    if not xs:
        raise InputError(
            "The data set gave nothing: it is empty, or could be read only once and was read before. Make it again."
        )
    names = list(xs[0])
    if any(list(x) != names for x in xs):
        raise InputError("The data set's elements have different inputs.")
    return Part({name: _joined([x[name] for x in xs], "x") for name in names}, _joined(ys, "y") if ys else None)


def _elements(dataset: Any) -> tuple[int | None, Iterator[Any]]:
    """How many elements there are, None where that isn't known, and they themselves.

    Raises:
        InputError: it has no end, or ragged or sparse elements.
    """
    if isinstance(dataset, keras.utils.PyDataset):
        count = dataset.num_batches
        if count is None:
            raise InputError(
                "The PyDataset has no end (its num_batches is None): expected a number of batches. Give it one, or "
                "read some: x, y = zip(*(dataset[i] for i in range(100)))"
            )
        return count, (dataset[number] for number in range(count))
    for spec in tf.nest.flatten(dataset.element_spec):
        if not isinstance(spec, tf.TensorSpec):
            raise InputError(
                f"The data set gives a {type(spec).__name__.removesuffix('Spec')}: expected tensors. Make them dense: "
                "dataset.map(lambda x, y: (x.to_tensor(), y))"
            )
    count = int(dataset.cardinality())
    if count == tf.data.INFINITE_CARDINALITY:
        raise InputError("The data set has no end (repeat()). Take a part of it: dataset.take(n)")
    return None if count < 0 else count, dataset.as_numpy_iterator()


def _pair(element: Any) -> tuple[Inputs, np.ndarray | None]:
    if not isinstance(element, tuple):
        return inputs(element), None
    if len(element) == 1:
        return inputs(element[0]), None
    if len(element) != 2:
        raise InputError(
            f"The data set gives tuples of {len(element)}: expected x or (x, y). Weights of examples aren't recorded: "
            "dataset.map(lambda x, y, weight: (x, y))"
        )
    x, y = element
    return inputs(x), array(y, "y")


def _shapes(x: Inputs) -> list[tuple[str | int, tuple[int, ...]]]:
    return [(name, value.shape) for name, value in x.items()]


def _joined(parts: list[np.ndarray], what: str) -> np.ndarray:
    shapes = {part.shape[1:] for part in parts}
    if len(shapes) > 1:
        one, other, *_ = sorted(map(list, shapes))
        raise InputError(
            f"The data set's {what} has examples of different shapes, {one} and {other}: expected one. Resize or pad "
            "them first (dataset.map(...), padded_batch with padded_shapes)."
        )
    return np.concatenate(parts)
