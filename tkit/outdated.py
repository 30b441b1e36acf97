"""Stage outputs that have changed since, or that were made from a file that has: every reader refuses them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from tkit import files

MAKING = ("fit", "adopt", "compress")
"""The stages that make a model; the outputs of the others are valid only for exactly the files that they read."""

COMMANDS = ("export", "bench", "evaluate", "why-int8")
"""The stages that are commands; the others but `devices` are forms that `tkit export --format` takes."""


def outdated(folder: Path, stages: Mapping[str, Any], key: str) -> Iterator[Path]:
    """The files that the finished stage `key` ("float/export") read and that are now missing or changed.

    For results made from exported files, also the files that the export was made from.

    Args:
        folder: the run's.
        stages: the manifest's entries.
        key: the stage's.
    """
    variant, _, stage = key.rpartition("/")
    if stage in MAKING:
        return
    read = f"{variant}/export"
    for name, digest in stages[key]["inputs"].items():
        path = folder / name
        if not path.is_file() or files.sha256(path) != digest:
            yield path
    if key != read and read in stages and any(name.startswith(f"{read}/") for name in stages[key]["inputs"]):
        yield from outdated(folder, stages, read)


def counts(folder: Path, stages: Mapping[str, Any], key: str) -> bool:
    """Whether the stage `key` is finished, and the files that it read are unchanged."""
    return key in stages and not any(outdated(folder, stages, key))


def damage(folder: Path, stages: Mapping[str, Any], key: str) -> Iterator[tuple[Path, str]]:
    """The outputs of the finished stage `key` that are missing or not what it wrote, and which of the two."""
    for name, digest in stages[key]["outputs"].items():
        path = folder / name
        if not path.is_file():
            yield path, "missing"
        elif files.sha256(path) != digest:
            yield path, "damaged: its sha256 is not the manifest's"


def remedy(folder: Path, model: str, newest: str | None, key: str) -> str:
    """What makes the outputs of the stage `key` again.

    Args:
        folder: the run's.
        model: the name of its recipe.
        newest: its newest variant; None where there is none.
        key: the stage's.
    """
    variant, _, stage = key.rpartition("/")
    if stage == "fit":
        return f"Train again: tkit fit --recipe {folder / 'recipe.json'}"
    if stage == "adopt":
        return f"Adopt the model file again: tkit export {model}.keras --data DATA"
    if stage == "compress":
        return f"Make it again: tkit compress {folder} and the steps of {variant}"
    chosen = f" --variant {variant}" if variant != newest else ""
    if stage == "devices":
        return f"Measure again: tkit bench {folder}{chosen} --device DEVICE"
    command = stage if stage in COMMANDS else f"export --format {stage}"
    return f"Make it again: tkit {command} {folder}{chosen}"
