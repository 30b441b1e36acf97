"""What a model takes, from what a person has in memory."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import keras
import numpy as np

from tkit.keras_files.graph import activation_of
from tkit.keras_internals import producer
from tkit_edge.errors import InputError
from tkit_edge.tensors import Arrays


def calibration_arrays(model: keras.Model, data: Any) -> Arrays:
    """Examples by the names of the model's inputs, in their order.

    Args:
        model: flat functional model.
        data: an array [n, ...]; a list or dictionary of them for several inputs; a `tf.data.Dataset` or
            `keras.utils.PyDataset` of batches, of which targets are left out.

    Raises:
        InputError: none, or arrays that don't fit the model.
    """
    names = [str(producer(tensor).name) for tensor in model.inputs]
    arrays = _by_name(data, names)
    for name, tensor in zip(names, model.inputs, strict=True):
        wanted, found = tuple(tensor.shape[1:]), arrays[name].shape[1:]
        fits = len(wanted) == len(found) and all(a in (None, b) for a, b in zip(wanted, found, strict=True))
        if not fits or arrays[name].dtype.kind not in "fiub":
            shape = ", ".join("any" if size is None else str(size) for size in wanted)
            raise InputError(
                f"calibration: the model's input {name!r} takes {tensor.dtype} [n, {shape}], received "
                f"{arrays[name].dtype} {list(arrays[name].shape)}."
            )
    counts = {len(array) for array in arrays.values()}
    if len(counts) > 1 or 0 in counts:
        raise InputError(f"calibration: expected as many examples of each input, at least one; received {counts}.")
    return arrays


def _by_name(data: Any, names: list[str]) -> dict[str, np.ndarray]:
    if isinstance(data, Mapping):
        if missing := [name for name in names if name not in data]:
            raise InputError(f"calibration: no array for {', '.join(missing)}; received {', '.join(map(str, data))}.")
        return {name: np.asarray(data[name]) for name in names}
    if len(names) == 1:
        return {names[0]: np.asarray(data)}
    if not isinstance(data, (list, tuple)) or len(data) != len(names):
        raise InputError(
            f"calibration: the model takes {len(names)} inputs, {', '.join(names)}: expected an array for each, in a "
            "dictionary or in this order in a list."
        )
    return {name: np.asarray(array) for name, array in zip(names, data, strict=True)}


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
