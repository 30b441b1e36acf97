"""Adopting a model of the user's own: a .keras file and data become a run folder like any other."""

from __future__ import annotations

import re
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from tkit import console, files
from tkit.conversion import held_out
from tkit.keras_files.formats import Pixels
from tkit.models.keras_file import KerasFile
from tkit.recipe import Recipe
from tkit.recipe_loading import Loaded, with_overrides
from tkit.run_folder import Run
from tkit.run_location import runs_folder
from tkit.stages._common import identity, load_data, stage
from tkit_edge.errors import InputError
from tkit_pipelines.data.images import Images
from tkit_pipelines.splits import Splits

if TYPE_CHECKING:
    from tkit.keras_files.reader import Found

SHOWN = 20
"""Classes named when a model is adopted."""
_LOADER = "data: images as keras.utils.image_dataset_from_directory loads them"
_RULES = {
    "keras": f"{_LOADER} (data.resize=keras); where training did otherwise: data.resize=keras-crop, keras-pad, crop or "
    "stretch",
    "keras-crop": f"{_LOADER} with crop_to_aspect_ratio=True (data.resize=keras-crop)",
    "keras-pad": f"{_LOADER} with pad_to_aspect_ratio=True (data.resize=keras-pad)",
    "crop": "data: images turned upright, scaled with averaging and cropped (data.resize=crop)",
    "stretch": "data: images turned upright and stretched with averaging (data.resize=stretch)",
}


@stage()
def adopt(
    path: str | Path,
    *,
    data: str,
    pixels: Pixels | None = None,
    runs_dir: str | Path | None = None,
    overrides: Sequence[str] = (),
) -> Run:
    """A run whose `float` variant is the model in a .keras file; every command works on it like on any other.

    Images are decoded and resized as `keras.utils.image_dataset_from_directory` does (`data.resize=keras`). The run
    that an earlier call made of the same file, data, pixels and overrides is used again.

    Args:
        path: the .keras file: a functional or Sequential image classifier of stock layers.
        data: where labelled images are, as `data.source` takes it; the classes in the order of the outputs.
        pixels: what the model was trained on: "0-255", "0-1" or "-1-1"; needed unless it begins with its own
            Rescaling or Normalization of raw pixels.
        runs_dir: where run folders live; $TKIT_RUNS or ./runs by default.
        overrides: of the run's recipe, such as "data.resize=keras-crop" or "data.skip_bad=true".

    Raises:
        InputError: the file can't be taken, with what to do; or the data doesn't fit it.

    Example:
        >>> run = tkit.adopt("model.keras", data="./images", pixels="0-1")
        >>> tkit.export(run)
    """
    from tkit import model_files
    from tkit.keras_files.reader import read, with_outputs

    began = time.perf_counter()
    path = Path(path)
    found = read(path, pixels)
    sha256 = files.sha256(path)
    recipe = _recipe(path, sha256, found.input_shape, data, pixels, overrides)
    splits = load_data(recipe.data, recipe.seed)
    data_found = identity(recipe.data, splits)
    if existing := _existing(recipe, data_found, runs_dir):
        console.say(f"{existing.folder}: made of this file and data before")
        return existing
    found = with_outputs(found, len(splits.class_names), str(path))
    run = Run.create(Loaded(recipe, None), runs_dir)
    accuracy = _accuracy(found, splits, recipe.seed)
    run.finish(
        "adopt",
        "float",
        inputs=[run.folder / "recipe.json"],
        outputs=model_files.save(found.model, run.folder / "float"),
        metrics=accuracy,
        seconds=time.perf_counter() - began,
        source={"path": str(path.resolve()), "sha256": sha256},
        pixels=found.pixels,
        output=found.output,
        class_names=list(splits.class_names),
        data=data_found,
        parameters=found.model.count_params(),
    )
    _report(run, path.name, found, splits, accuracy)
    return run


def _recipe(
    path: Path,
    sha256: str,
    shape: tuple[int, int, int],
    data: str,
    pixels: Pixels | None,
    overrides: Sequence[str],
) -> Recipe:
    """The recipe of a model file that takes images of [height, width, channels].

    Raises:
        InputError: an override of the images' size.
    """
    height, width, channels = shape
    name = re.sub(r"[^A-Za-z0-9_.-]+", "-", path.stem).lstrip("_.-") or "model"
    recipe = Recipe(
        name=name,
        data=Images(source=data, image_size=(height, width), channels=channels, resize="keras").located(),
        model=KerasFile(path=str(path.resolve()), sha256=sha256, pixels=pixels),
    )
    recipe = with_overrides(recipe, overrides)
    if (*recipe.data.image_size, recipe.data.channels) != shape:
        raise InputError(
            f"{path} takes images of {height}x{width}x{channels}: data.image_size and data.channels are the model's "
            "and can't be changed. data.resize says how images are brought to that size."
        )
    return recipe


def _accuracy(found: Found, splits: Splits, seed: int) -> dict[str, Any]:
    examples = held_out.drawn(splits.validation, held_out.SAMPLES, seed)
    return held_out.figures(found.model.predict(examples.images.astype(np.float32), verbose=0), examples.labels)


def _report(run: Run, name: str, found: Found, splits: Splits, accuracy: dict[str, Any]) -> None:
    """Says what was adopted, how its images are resized, and what a person can compare with their training."""
    height, width, _ = found.input_shape
    console.say(
        f"{run.folder}: {name}, {found.model.count_params():,} parameters; takes images of {height}x{width}, "
        f"pixels {found.pixels}; gives {found.output} of {len(splits.class_names)} classes"
    )
    console.say(_RULES[run.recipe.data.resize])
    if warning := held_out.warning(accuracy, len(splits.class_names)):
        console.say(warning)
    for line in (_order(splits.class_names), *splits.remarks()):
        console.say(f"data: {line}")


def _order(names: Sequence[str]) -> str:
    """Which output is which class: what a person can compare with their training."""
    shown = [f"{number} {name}" for number, name in enumerate(names)]
    shown = shown if len(shown) <= SHOWN else [*shown[: SHOWN - 2], "...", shown[-1]]
    return f"classes in the order of the outputs: {', '.join(shown)}"


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
