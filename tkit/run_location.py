"""Where run folders live: the folder of them all, a new one in it, and one by its path or name."""

from __future__ import annotations

import os
from pathlib import Path

from tkit import manifest
from tkit.keras_files.formats import is_model
from tkit_edge.errors import InputError
from tkit_pipelines.config import did_you_mean

DEFAULT_FOLDER = "runs"


def runs_folder(runs_dir: str | Path | None = None) -> Path:
    """The folder of all runs: the argument, else $TKIT_RUNS, else ./runs."""
    return Path(runs_dir or os.environ.get("TKIT_RUNS") or DEFAULT_FOLDER)


def new_folder(parent: Path, name: str) -> Path:
    """Makes <parent>/<name>-<n> with the next free n; never one that exists.

    Raises:
        OSError: it can't be made.
    """
    parent.mkdir(parents=True, exist_ok=True)
    number = max((_number(path, name) for path in parent.glob(f"{name}-*")), default=0) + 1
    while True:
        folder = parent / f"{name}-{number}"
        try:
            folder.mkdir()
            return folder
        except FileExistsError:
            number += 1


def existing_folder(run: str | Path, runs_dir: str | Path | None = None) -> Path:
    """The folder of the run at a path, or of that name in the runs folder.

    Raises:
        InputError: no run there, or a model file.
    """
    folder = Path(run)
    if is_model(folder):
        raise InputError(f"{folder} is a model file, expected a run. Say with which images: --data DATA")
    if folder.suffix == ".tflite":
        raise InputError(
            f"{folder} is an exported file, expected a run: exported files are neither trained nor compressed any "
            "more. Take the run or the .keras model that it came from."
        )
    top = runs_folder(runs_dir)
    if not folder.exists() and (top / folder).exists():
        folder = top / folder
    if not (folder / manifest.NAME).is_file():
        known = [item.parent.name for item in top.glob("*/manifest.json")]
        hint = did_you_mean(folder.name, known) if known else " `tkit fit --recipe NAME` makes one."
        raise InputError(f"No run at {run}: expected a run folder with a manifest.json.{hint}")
    return folder


def _number(path: Path, name: str) -> int:
    tail = path.name.removeprefix(f"{name}-")
    return int(tail) if tail.isdigit() else 0
