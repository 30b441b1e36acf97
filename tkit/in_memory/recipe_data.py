"""Data in memory with a recipe: recorded as what the recipe's data config reads."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from tkit.in_memory import recorded
from tkit.in_memory.arrays import Inputs
from tkit.in_memory.labels import Targets, targets
from tkit.in_memory.parts import parts
from tkit.in_memory.pixels import eight_bit
from tkit.in_memory.sources import source_of
from tkit_edge.errors import InputError
from tkit_pipelines.data import Data


class RecipeData(NamedTuple):
    """The data of a recipe."""

    data: Data
    note: str | None = None
    """What of the object couldn't be recorded."""


def with_data(data: Data, given: Any, class_names: Sequence[str] | None, runs_dir: str | Path | None) -> RecipeData:
    """A recipe's data config with what a user gave as `data=`: recorded, where it isn't a path or name.

    Images are arrays of 8-bit pixels, of 0-255, 0-1 or -1-1; texts are arrays or lists of str.

    Raises:
        InputError: it can't be read, or is no data of this kind.
    """
    source = source_of(given, runs_dir, texts=data.takes == "text")
    if source is not None:
        if class_names is not None:
            raise InputError(f"class_names are for arrays; data {source!r} names its classes itself.")
        return RecipeData(data.model_copy(update={"source": source}).located())
    found = parts(given, lambda _, shape: _EXAMPLE[data.takes](shape))
    right = targets(found.labels, data.labels, class_names, None)
    if right.labels != data.labels:
        raise InputError(f"The recipe learns {data.labels} (data.labels), and data has no labels: expected (x, y).")
    by_part = {name: part.x for name, part in found.by_name.items()}
    settings = _RECORD[data.takes](by_part, right, runs_dir)
    return RecipeData(data.model_copy(update=settings), found.note)


def _images(by_part: dict[str, Inputs], right: Targets, runs_dir: str | Path | None) -> dict[str, Any]:
    arrays = [_only(x) for x in by_part.values()]
    found = eight_bit(arrays)
    if found is None or any(not _is_image(part.shape[1:]) for part in arrays):
        raise InputError(
            f"x is {arrays[0].dtype} {list(arrays[0].shape)}: expected images of 8-bit pixels, [n, height, width] or "
            "[n, height, width, 1, 3 or 4], of 0-255, 0-1 or -1-1."
        )
    return recorded.images(dict(zip(by_part, found.images, strict=True)), right, runs_dir)


def _texts(by_part: dict[str, Inputs], right: Targets, runs_dir: str | Path | None) -> dict[str, Any]:
    arrays = {name: _only(x) for name, x in by_part.items()}
    for part in arrays.values():
        if part.dtype.kind != "U" or part.shape[1:] not in ((), (1,)):
            raise InputError(f"x is {part.dtype} {list(part.shape)}: expected texts, a list or array [n] of str.")
    return recorded.texts({name: part.ravel() for name, part in arrays.items()}, right, runs_dir)


def _tensors(by_part: dict[str, Inputs], right: Targets, runs_dir: str | Path | None) -> dict[str, Any]:
    named = {
        part: {f"x{name or ''}" if isinstance(name, int) else name: values for name, values in x.items()}
        for part, x in by_part.items()
    }
    return recorded.tensors(named, right, runs_dir)


def _only(x: Inputs) -> np.ndarray:
    if len(x) > 1:
        raise InputError(f"x has {len(x)} arrays; the recipe's data has one input. Give one array.")
    return next(iter(x.values()))


def _is_image(shape: tuple[int, ...]) -> bool:
    return len(shape) == 2 or (len(shape) == 3 and shape[2] in (1, 3, 4))


_RECORD = {"image": _images, "text": _texts, "tensors": _tensors}
_EXAMPLE = {"image": _is_image, "text": lambda shape: shape == (), "tensors": lambda shape: len(shape) == 0}
