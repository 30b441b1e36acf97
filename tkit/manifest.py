"""manifest.json of a run folder: which stages are complete, and what they read and wrote.

A run folder may come from a stranger: all that code reads of a manifest is checked here, once, and no path in it
leads out of the folder.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tkit import versions
from tkit_edge import inputs, outputs
from tkit_edge.errors import InputError
from tkit_edge.fields import MAX_NAME_BYTES, Fields, is_plain_name
from tkit_edge.json_file import read_json

NAME = "manifest.json"
VERSION = 2
MAX_BYTES = 128 * 2**20  # some evaluations of a thousand classes, each with its confusion matrix
SCORES = tuple(f"{split}{key}" for split in ("", "val_") for key in ("accuracy", "mean_absolute_error"))
_NUMBER = (int, float, type(None))  # null is what isn't finite
MAX_PATH_BYTES = 4000  # a little less than systems allow


def read(folder: Path) -> dict[str, Any]:
    """The manifest of the run in `folder`.

    Raises:
        InputError: none, a damaged one (with the key), or one that a newer tkit wrote.
    """
    path = folder / NAME
    try:
        top = Fields(read_json(path, MAX_BYTES), str(path))
        version = top.get("version", int)
        if version in (1, VERSION):
            _check(top, folder)
    except InputError as error:
        raise InputError(f"{str(error).rstrip('.')}: the manifest is damaged, so the run cannot be used.") from error
    if version not in (1, VERSION):
        raise InputError(
            f"{path} has version {version}, this tkit ({versions.own()}) reads 1 and {VERSION}. Update tkit."
        )
    return top.value


def _check(top: Fields, folder: Path) -> None:
    origin = top.value.get("recipe_origin")
    if origin is not None:
        part = top.part("recipe_origin")
        part.get("sha256", str)
        _require(_is_path(part.get("path", str)), part, "path", "a path")
    if "dry_run" in top.value:
        top.get("dry_run", bool)
    if "data_note" in top.value:
        top.get("data_note", str)
    stages = top.part("stages")
    for key in stages.value:
        variant, _, stage = key.rpartition("/")
        _require(is_plain_name(variant) and is_plain_name(stage), stages, key, "a key of the form variant/stage")
        _check_entry(stages.part(key), stage, folder / variant)


def _check_entry(entry: Fields, stage: str, folder: Path) -> None:
    for side in ("inputs", "outputs"):
        digests = entry.part(side)
        for name in digests.value:
            digests.get(name, str)
            inside = _is_path(name) and all(map(is_plain_name, name.split("/")))
            _require(inside, digests, name, "a path inside the run folder")
    metrics = entry.part("metrics")
    for part in (metrics, *(metrics.items("ledger") if "ledger" in metrics.value else ())):
        for name in SCORES:
            if name in part.value:
                part.get(name, _NUMBER)
    if stage in ("fit", "adopt"):
        if "data" in entry.value:
            data = entry.part("data")
            data.get("source", str)
            data.get("sha256", str)
        if "input" in entry.value:
            inputs.read(entry.part("input"), folder)
            outputs.read(entry.part("output"))
        else:  # of version 1
            entry.texts("class_names")
            form = entry.value.get("output", "logits")
            _require(form in ("logits", "probabilities"), entry, "output", "logits or probabilities")
    if stage == "evaluate":
        for name in metrics.value:
            _require(is_plain_name(name), metrics, name, "a folder's plain name")
            model = metrics.part(name).part("model")
            model.get("sha256", str)
            _require(_is_path(model.get("file", str)), model, "file", "a path")


def _is_path(text: str) -> bool:
    """Whether a system can look it up at all."""
    parts = [part.encode() for part in text.split("/")]
    return sum(len(part) + 1 for part in parts) <= MAX_PATH_BYTES and max(map(len, parts)) <= MAX_NAME_BYTES


def _require(fits: bool, fields: Fields, key: str, expected: str) -> None:
    if not fits:
        raise InputError(f"{fields.file}: {fields.place}{key[:80]}: expected {expected}.")
