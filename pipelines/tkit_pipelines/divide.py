"""Which examples are for training, which for validation, and which measure."""

from __future__ import annotations

import numpy as np

from tkit_edge.errors import InputError
from tkit_edge.text import counted
from tkit_pipelines.source import Loaded
from tkit_pipelines.stratify import TEST_FRACTION, TEST_SEED, stratified, unstratified


def divide(loaded: Loaded, source: str, validation: float, seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Which examples are for training, validation and test: indices into `loaded.train`, twice, and `loaded.test`.

    Where there are no test examples, the third are indices into `loaded.train` too. Each class is divided by itself;
    where there are no classes (`loaded.class_names` is empty), all examples are divided together. A validation part of
    the source's own is taken as it is.

    Raises:
        InputError: what is loaded can't be trained on or measured; the message calls it `source`.
    """
    names = loaded.class_names
    if names:
        _check_classes(loaded, source)

    def held_out(among: np.ndarray, fraction: float, seed: int) -> tuple[np.ndarray, np.ndarray]:
        if names:
            kept, held = stratified(loaded.train.labels[among], fraction, seed, names)
        else:
            kept, held = unstratified(len(among), fraction, seed, f"data {source!r}")
        return among[kept], among[held]

    own = len(loaded.train) - loaded.validation
    rest, validated = np.arange(own), np.arange(own, len(loaded.train))
    if loaded.test is None:
        rest, test = held_out(rest, TEST_FRACTION, TEST_SEED)
    else:
        test = np.arange(len(loaded.test))
    return (rest, validated, test) if loaded.validation else (*held_out(rest, validation, seed), test)


def _check_classes(loaded: Loaded, source: str) -> None:
    """Refuse what no classifier can be trained or measured on, whatever the source."""
    names = loaded.class_names
    if len(names) < 2:
        raise InputError(f"data {source!r} has only one class, {names}; at least two are needed.")
    for part, examples in (("training", loaded.train), ("test", loaded.test)):
        if examples is None:
            continue
        if len(examples) and not 0 <= examples.labels.min() <= examples.labels.max() < len(names):
            raise InputError(f"data {source!r}: {part} labels must be 0 to {len(names) - 1}, one for each class.")
        empty = np.flatnonzero(np.bincount(examples.labels, minlength=len(names)) == 0)
        if len(empty):
            skipped = f" ({counted(len(loaded.skipped), 'file was', 'files were')} skipped)" if loaded.skipped else ""
            raise InputError(f"data {source!r}: class {names[empty[0]]!r} has no {part} images{skipped}.")
