"""Data in memory as a file beside the runs, and the data config that reads it again."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from tkit.in_memory.labels import Targets
from tkit.in_memory.objects import digest_of, record, write_npz
from tkit_pipelines.data.arrays import CLASS_NAMES, PREFIXES
from tkit_pipelines.sources.npz import KEYS


class Recorded(NamedTuple):
    """Where data was recorded, and how it is read from there."""

    settings: dict[str, Any]
    """Of the data config: `source`, and what goes with it."""
    note: str | None = None
    """What of the object couldn't be recorded."""


def images(parts: Mapping[str, np.ndarray], targets: Targets, runs_dir: str | Path | None) -> dict[str, Any]:
    """The settings of `Images` for uint8 images by part."""
    x_keys, y_keys = (dict(zip(("train", "validation", "test"), KEYS[0][start::2], strict=True)) for start in (0, 1))
    arrays = {x_keys[name]: values for name, values in parts.items()}
    values, names = _as_classes(targets)
    arrays |= {y_keys[name]: labels for name, labels in zip(parts, values, strict=False)}
    arrays |= {"class_names": np.array(names)} if names else {}
    return {"source": _npz(arrays, runs_dir), "labels": targets.labels}


def _as_classes(targets: Targets) -> tuple[list[np.ndarray], tuple[str, ...]]:
    """Labels as indices into names; a number's name is the number."""
    if targets.labels != "numbers":
        return targets.values, targets.class_names
    numbers = np.unique(np.concatenate(targets.values))
    return [np.searchsorted(numbers, part) for part in targets.values], tuple(map(str, numbers))


def tensors(
    parts: Mapping[str, Mapping[str, np.ndarray]], targets: Targets, runs_dir: str | Path | None
) -> dict[str, Any]:
    """The settings of `Arrays` for the arrays of each part, by input."""
    arrays: dict[str, np.ndarray] = {}
    column = "targets"
    while any(column in part for part in parts.values()):
        column += "_"
    for number, (name, part) in enumerate(parts.items()):
        prefix = PREFIXES.get(name, "")
        arrays |= {f"{prefix}{key}": values for key, values in part.items()}
        if targets.values:
            arrays[f"{prefix}{column}"] = targets.values[number]
    if targets.class_names:
        arrays[CLASS_NAMES] = np.array(targets.class_names)
    settings: dict[str, Any] = {"source": _npz(arrays, runs_dir), "labels": targets.labels}
    return settings | ({"targets": column} if targets.values else {})


def texts(parts: Mapping[str, np.ndarray], targets: Targets, runs_dir: str | Path | None) -> dict[str, Any]:
    """The settings of `Texts` for texts by part."""

    def rows() -> Iterator[dict[str, Any]]:
        for number, (name, values) in enumerate(parts.items()):
            labels = targets.values[number] if targets.values else None
            for row, text in enumerate(values):
                label = {} if labels is None else {"label": _label(labels[row], targets.class_names)}
                yield {"text": str(text), **label, "split": name}

    content = "".join(f"{json.dumps(row, ensure_ascii=False)}\n" for row in rows()).encode("utf-8", "surrogatepass")
    return {"source": text_file(content, "data.jsonl", runs_dir), "labels": targets.labels, "text": None, "label": None}


def _label(value: Any, names: Sequence[str]) -> Any:
    return names[int(value)] if names else float(value)


def text_file(content: bytes, name: str, runs_dir: str | Path | None) -> str:
    """The path of a file of text."""
    digest = digest_of("", {name: np.frombuffer(content, np.uint8)})
    return str(record(runs_dir, digest, name, lambda path: path.write_bytes(content)))


def _npz(arrays: Mapping[str, np.ndarray], runs_dir: str | Path | None) -> str:
    return str(record(runs_dir, digest_of("", arrays), "data.npz", lambda path: write_npz(path, arrays)))
