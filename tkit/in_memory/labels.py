"""What is right, as arrays of the user's own: numbers of classes, one-hot rows, names, or numbers to be predicted."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from tkit.in_memory.arrays import finite
from tkit_edge.errors import InputError
from tkit_pipelines.class_names import ordered
from tkit_pipelines.data import Labels


class Targets(NamedTuple):
    """What is right for the examples of each part."""

    labels: Labels
    values: list[np.ndarray]
    """Per part int64 [n] indices into the class names, or float32 [n] numbers; empty without labels."""
    class_names: tuple[str, ...] = ()


class Outputs(NamedTuple):
    """A model's outputs: what labels can mean."""

    where: str
    row: int | None
    """The number of values of the only output, a row; None for other outputs."""
    activation: str | None


def targets(
    given: Sequence[np.ndarray], wanted: Labels | None, names: Sequence[str] | None, outputs: Outputs | None
) -> Targets:
    """What the labels of all parts mean.

    Fractional numbers, and any floats for a single output without a sigmoid, are numbers to be predicted; so are whole
    ones past 0 and 1 there. All else are classes.

    Args:
        given: of each part [n], [n, 1], or one-hot [n, classes]; none at all without labels.
        wanted: what they are, where that is known.
        names: of the classes, in the order of the model's outputs.
        outputs: those of the model, where there is one already.

    Raises:
        InputError: labels that aren't of such a form, or that don't fit the outputs or names.
    """
    if not given or wanted == "none":
        return Targets("none", [])
    if outputs is not None and outputs.row is None:
        raise InputError(
            f"{outputs.where} has outputs that aren't one row, and y is labels: leave y out (data=x), and the model is "
            "judged by agreement."
        )
    single = [_one_each(part, one_hot=wanted != "numbers") for part in given]
    if any(part.dtype.kind in "US" for part in single):
        return _named([part.astype(str) for part in single], wanted, names, outputs)
    if any(part.dtype.kind not in "biuf" for part in single):
        raise InputError(f"y must be numbers or texts; received {single[0].dtype}. Convert it.")
    for part in single:
        finite(part, "y")
    wanted = wanted or ("classes" if names is not None else _meaning(single, outputs))
    if wanted == "numbers":
        return Targets("numbers", [part.astype(np.float32) for part in single])
    if not all(np.array_equal(part, np.rint(part)) for part in single):
        raise InputError(
            "y has fractional numbers, which name no classes: expected whole numbers, one-hot rows or texts"
            + ("." if outputs is None else f", as {outputs.where} has {outputs.row} outputs.")
        )
    return _numbered([part.astype(np.int64) for part in single], names, outputs)


def _one_each(part: np.ndarray, one_hot: bool) -> np.ndarray:
    """Labels [n], of [n, 1] or of one-hot rows too."""
    if part.ndim == 2 and part.shape[1] == 1:
        part = part[:, 0]
    if part.ndim == 1:
        return part
    if one_hot and part.ndim == 2 and np.isin(part, (0, 1)).all() and (part.sum(axis=1) == 1).all():
        return part.argmax(axis=1)
    raise InputError(
        f"y is {part.dtype} {list(part.shape)}: expected one label per example, [n], or one-hot rows, [n, classes] "
        "(a single 1 each). For outputs of another kind leave y out (data=x): the model is judged by agreement."
    )


def _meaning(parts: Sequence[np.ndarray], outputs: Outputs | None) -> Labels:
    whole = all(np.array_equal(part, np.rint(part)) for part in parts)
    if outputs is None or outputs.row != 1:
        return "classes" if whole or outputs is not None else "numbers"
    if not whole:
        return "numbers"
    is_float, binary = any(part.dtype.kind == "f" for part in parts), all(np.isin(part, (0, 1)).all() for part in parts)
    return "classes" if outputs.activation or (binary and not is_float) else "numbers"


def _numbered(parts: list[np.ndarray], names: Sequence[str] | None, outputs: Outputs | None) -> Targets:
    occurring = np.unique(np.concatenate(parts))
    count = _count(names, outputs)
    if count is None:
        return Targets("classes", [np.searchsorted(occurring, part) for part in parts], tuple(map(str, occurring)))
    if occurring[0] < 0 or occurring[-1] >= count:
        raise InputError(
            f"y has the labels {occurring[0]} to {occurring[-1]}: expected 0 to {count - 1}, "
            f"{'one for each of class_names' if names is not None else _one_per_output(outputs)}."
        )
    return Targets("classes", parts, tuple(map(str, range(count) if names is None else names)))


def _named(
    parts: list[np.ndarray], wanted: Labels | None, names: Sequence[str] | None, outputs: Outputs | None
) -> Targets:
    if wanted == "numbers":
        raise InputError("y are texts, and data.labels=numbers expects numbers. Convert them.")
    occurring = np.unique(np.concatenate(parts)).tolist()
    count = _count(names, outputs)
    found = ordered(occurring)[1] if names is None else tuple(map(str, names))
    unknown = [] if names is None else sorted(set(occurring) - set(found))
    if unknown:
        raise InputError(f"y has the class {unknown[0]!r}, which class_names lacks; it has {', '.join(found)}.")
    if count is not None and len(found) != count:
        raise InputError(
            f"y has {len(found)} classes ({', '.join(found[:5])} ...): expected {count}, {_one_per_output(outputs)}. "
            "class_names=[...] names them all, in the order of the outputs."
        )
    index = {name: number for number, name in enumerate(found)} if names is not None else ordered(occurring)[0]
    return Targets("classes", [np.array([index[label] for label in part], np.int64) for part in parts], found)


def _count(names: Sequence[str] | None, outputs: Outputs | None) -> int | None:
    """How many classes there are; None where only the labels show it."""
    rows = None if outputs is None or outputs.row is None else max(outputs.row, 2)
    if names is not None and len(set(names)) != len(names):
        raise InputError(f"class_names has a name twice: {', '.join(map(str, names))}.")
    if names is not None and rows is not None and len(names) != rows:
        raise InputError(f"class_names has {len(names)} names: expected {rows}, {_one_per_output(outputs)}.")
    return rows if names is None else len(names)


def _one_per_output(outputs: Outputs | None) -> str:
    assert outputs is not None
    return f"as {outputs.where} has {outputs.row} output{'' if outputs.row == 1 else 's'}"
