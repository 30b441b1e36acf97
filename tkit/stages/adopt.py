"""Adopting a model of the user's own: a .keras file and data become a run folder like any other."""

from __future__ import annotations

import re
import time
from pathlib import Path
from typing import Any

from tkit import console, files, model_files
from tkit.models.keras_file import KerasFile, Pixels
from tkit.recipe import Loaded, Recipe
from tkit.run import Run, runs_folder
from tkit.stages._common import identity, load_data
from tkit_edge.errors import InputError
from tkit_pipelines.images import Images


@files.writing()
def adopt(path: str | Path, *, data: str, pixels: Pixels | None = None, runs_dir: str | Path | None = None) -> Run:
    """A run whose `float` variant is the model in a .keras file; every command works on it like on any other.

    Pictures of another size than the model's are stretched to it, as `keras.utils.image_dataset_from_directory` does.
    The run that an earlier call made of the same file, data and pixels is used again.

    Args:
        path: the .keras file: a functional or Sequential image classifier of stock layers.
        data: where labelled pictures are, as `data.source` takes it; the classes in the order of the outputs.
        pixels: what the model was trained on: "0-255", "0-1" or "-1-1"; needed unless it begins with its own
            Rescaling or Normalization of raw pixels.
        runs_dir: where run folders live; $TKIT_RUNS or ./runs by default.

    Raises:
        InputError: the file can't be taken, with what to do; or the data doesn't fit it.

    Example:
        >>> run = tkit.adopt("model.keras", data="./pictures", pixels="0-1")
        >>> tkit.export(run)
    """
    from tkit.models._keras_reader import read, with_outputs

    began = time.perf_counter()
    path = Path(path)
    found = read(path, pixels)
    height, width, channels = found.input_shape
    sha256 = files.sha256(path)
    name = re.sub(r"[^A-Za-z0-9_.-]+", "-", path.stem).lstrip("_.-") or "model"
    recipe = Recipe(
        name=name,
        # As keras.utils.image_dataset_from_directory resizes, which is how most Keras models were fed.
        data=Images(source=data, image_size=(height, width), channels=channels, resize="stretch").located(),
        model=KerasFile(path=str(path.resolve()), sha256=sha256, pixels=pixels),
    )
    splits = load_data(recipe.data, recipe.seed)
    data_found = identity(recipe.data, splits)
    existing = _existing(recipe, data_found, runs_dir)
    if existing is not None:
        console.say(f"{existing.folder}: made of this file and data before")
        return existing
    found = with_outputs(found, len(splits.class_names), str(path))
    run = Run.create(Loaded(recipe, None), runs_dir)
    outputs = model_files.save(found.model, run.folder / "float")
    run.finish(
        "adopt",
        "float",
        inputs=[run.folder / "recipe.json"],
        outputs=outputs,
        metrics={},
        seconds=time.perf_counter() - began,
        source={"path": str(path.resolve()), "sha256": sha256},
        pixels=found.pixels,
        output=found.output,
        class_names=list(splits.class_names),
        data=data_found,
        parameters=found.model.count_params(),
    )
    console.say(
        f"{run.folder}: {path.name}, {found.model.count_params():,} parameters; takes pictures of {height}x{width}, "
        f"pixels {found.pixels}; gives {found.output} of {len(splits.class_names)} classes"
    )
    return run


def _existing(recipe: Recipe, data: dict[str, str], runs_dir: str | Path | None) -> Run | None:
    """The newest run that an earlier call made of the same file, data and pixels."""
    for manifest in sorted(runs_folder(runs_dir).glob(f"{recipe.name}-*/manifest.json"), key=_changed, reverse=True):
        try:
            run = Run.open(manifest.parent)
        except InputError:
            continue
        if run.recipe == recipe and "float/adopt" in run.manifest["stages"] and run.data == data:
            return run
    return None


def _changed(path: Path) -> Any:
    return path.stat().st_mtime
