"""What a model takes, from what a person has in memory."""

from __future__ import annotations

from typing import Any, NamedTuple

import keras
import numpy as np

from tkit.in_memory.arrays import Inputs, inputs
from tkit.in_memory.datasets import is_dataset, read
from tkit.keras_files.graph import activation_of
from tkit.keras_internals import producer
from tkit_edge.errors import InputError
from tkit_edge.tensors import Arrays


def calibration_arrays(model: keras.Model, data: Any) -> Arrays:
    """Examples by the names of the model's inputs, in their order.

    Args:
        model: flat functional model.
        data: an array [n, ...]; a list or dictionary of arrays for several inputs; a `tf.data.Dataset` or
            `keras.utils.PyDataset` of x or (x, y), which is read once.

    Raises:
        InputError: none, a data set without end, or arrays that don't fit the model.
    """
    names = [str(producer(tensor).name) for tensor in model.inputs]
    wanted = dict(zip(names, (tuple(tensor.shape[1:]) for tensor in model.inputs), strict=True))

    def is_example(name: str | int, shape: tuple[int, ...]) -> bool:
        return _fits(shape, wanted.get(str(name), wanted[names[0]]))

    arrays = _by_name(read(data, is_example).x if is_dataset(data) else inputs(data), names)
    for name, tensor in zip(names, model.inputs, strict=True):
        if not _fits(arrays[name].shape[1:], wanted[name]) or arrays[name].dtype.kind not in "fiub":
            shape = ", ".join("any" if size is None else str(size) for size in wanted[name])
            raise InputError(
                f"examples: the model's input {name!r} takes {tensor.dtype} [n, {shape}], received "
                f"{arrays[name].dtype} {list(arrays[name].shape)}."
            )
    counts = {len(array) for array in arrays.values()}
    if len(counts) > 1 or 0 in counts:
        raise InputError(f"examples: expected as many of each input, at least one; received {sorted(counts)}.")
    return arrays


def _fits(shape: tuple[int, ...], wanted: tuple[int | None, ...]) -> bool:
    return len(shape) == len(wanted) and all(size in (None, found) for size, found in zip(wanted, shape, strict=True))


def _by_name(x: Inputs, names: list[str]) -> dict[str, np.ndarray]:
    if len(x) == len(names) and (0 in x or len(x) == 1):
        return dict(zip(names, x.values(), strict=True))
    if missing := [name for name in names if name not in x]:
        given = f"{len(x)} arrays" if 0 in x else ", ".join(map(str, x))
        raise InputError(
            f"examples: no array for {', '.join(missing)}; received {given}. The model takes {', '.join(names)}: a "
            "dictionary with these names, or a list in this order."
        )
    return {name: x[name] for name in names}


class Labels(NamedTuple):
    """Classes that are right for a classifier of one row of scores."""

    numbers: np.ndarray
    """int32 [n]."""
    classes: int
    form: str
    """ "logits" or "probabilities"."""

    def scores(self, outputs: Arrays) -> np.ndarray:
        """A row per example, float32 [n, classes]; of a single score of the second of two classes both."""
        (values,) = outputs.values()
        values = values.reshape(len(values), -1)
        if values.shape[1] == self.classes:
            return values
        first, second = (1.0 - values, values) if self.form == "probabilities" else (-values / 2, values / 2)
        return np.concatenate([first, second], axis=1)


def labels_for(y: Any, model: keras.Model) -> Labels | None:
    """What y means for a model with one row of outputs; None where it isn't classes.

    Args:
        y: whole numbers [n] or [n, 1], or one-hot [n, classes].
        model: flat functional model.

    Raises:
        InputError: labels that the model has no output for.
    """
    if len(model.outputs) != 1 or len(model.outputs[0].shape) != 2:
        return None
    row, labels = int(model.outputs[0].shape[1]), np.asarray(y)
    if labels.ndim == 2 and labels.shape[1] == row > 1 and _one_hot(labels):
        labels = labels.argmax(axis=1)
    labels = labels.reshape(len(labels), -1)
    if labels.shape[1] != 1 or (labels.dtype.kind not in "iub" and not np.array_equal(labels, np.round(labels))):
        return None
    numbers = labels.ravel().astype(np.int32)
    classes = max(row, 2)
    if len(numbers) and not 0 <= numbers.min() <= numbers.max() < classes:
        if row == 1:
            return None
        raise InputError(
            f"labels: the model has {row} outputs, so classes are 0 to {row - 1}; received {numbers.min()} to "
            f"{numbers.max()}."
        )
    return Labels(numbers, classes, "probabilities" if activation_of(model) else "logits")


def _one_hot(labels: np.ndarray) -> bool:
    return bool(np.all((labels == 0) | (labels == 1)) and np.all(labels.sum(axis=1) == 1))
