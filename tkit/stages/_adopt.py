"""Adopting for the adopt stage: the model and its data, read and recorded, the recipe, and the run's manifest entry."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tkit import console, files, model_files
from tkit.arrays import predicted
from tkit.contract import Contract
from tkit.conversion import held_out
from tkit.in_memory.adopting import Subject, adopted_with
from tkit.in_memory.sources import source_of
from tkit.keras_files.formats import Pixels
from tkit.keras_files.reader import Found, with_outputs
from tkit.models.keras_file import KerasFile
from tkit.recipe import Recipe, check
from tkit.recipe_loading import Loaded, overridden
from tkit.run_folder import Run
from tkit.run_location import runs_folder
from tkit.stages._common import identity, load_data
from tkit.tasks import Task
from tkit.tasks.classification import Classification
from tkit.tasks.inference import Inference
from tkit.tasks.regression import Regression
from tkit_edge.errors import InputError
from tkit_edge.inputs.image import Image
from tkit_edge.inputs.tensors import Tensors as AnyInput
from tkit_edge.outputs.classes import Classes
from tkit_edge.outputs.tensors import Tensors
from tkit_edge.tensors import listed, matched
from tkit_pipelines.data import Data, Labels
from tkit_pipelines.data.arrays import Arrays
from tkit_pipelines.data.images import Images
from tkit_pipelines.splits import Splits

TASKS: dict[Labels, Task] = {"classes": Classification(), "numbers": Regression(), "none": Inference()}
"""By what the data's labels are, what a model is for."""
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


def adopted(
    model: Any,
    data: Any,
    pixels: Pixels | None,
    class_names: Sequence[str] | None,
    runs_dir: str | Path | None,
    overrides: Sequence[str],
) -> Run:
    """The run of a model and its data, made before or now; see `tkit.adopt`."""
    began = time.perf_counter()
    subject = Subject.of(model)
    source, note = source_of(data, runs_dir), None
    if source is None:
        labels = _overridden_labels(overrides)
        found, settings, note = adopted_with(
            subject, data, pixels=pixels, labels=labels, class_names=class_names, runs_dir=runs_dir
        )
    else:
        if class_names is not None:
            raise InputError(f"class_names are for arrays; data {source!r} names its classes itself.")
        found, settings = subject.read(pixels), {"source": source}
    file = subject.file(runs_dir)
    origin = KerasFile(path=str(file), sha256=files.sha256(file), pixels=pixels if source is not None else found.pixels)
    recipe = _recipe(subject, origin, found, settings, overrides)
    splits = load_data(recipe.data, recipe.seed)
    data_found = identity(recipe.data, splits)
    if existing := _existing(recipe, data_found, runs_dir):
        console.say(f"{existing.folder}: made of this model and data before")
        return existing
    found, contract = _contract(found, recipe, splits, subject.where)
    run = Run.create(Loaded(recipe, None), runs_dir, note=note)
    score = _score(found, contract, splits, recipe.seed)
    run.finish(
        "adopt",
        "float",
        inputs=[run.folder / "recipe.json"],
        outputs=model_files.save(found.model, run.folder / "float"),
        metrics=score,
        seconds=time.perf_counter() - began,
        source={"path": origin.path, "sha256": origin.sha256},
        pixels=found.pixels,
        **contract.as_json(),
        data=data_found,
        parameters=found.model.count_params(),
    )
    _report(run, Path(subject.where).name, found, contract, splits, score, in_memory=source is None)
    return run


def _overridden_labels(overrides: Sequence[str]) -> Any:
    """What `data.labels` is set to; None where it isn't."""
    return next((item.partition("=")[2] for item in overrides if item.startswith("data.labels=")), None)


def _recipe(
    subject: Subject, origin: KerasFile, found: Found, settings: dict[str, Any], overrides: Sequence[str]
) -> Recipe:
    """The recipe of a model; `settings` are of its data.

    Raises:
        InputError: an override of the images' size, or labels that don't fit the outputs.
    """
    labels: Labels = "none" if found.row is None else "classes"
    where, source = subject.where, settings["source"]
    data: Data
    if isinstance(found.input, Image):
        height, width, channels = found.input.shape
        size = {"image_size": (height, width), "channels": channels, "resize": found.input.resize}
        data = Images.model_validate({"labels": labels, **size, **settings})
    elif not source.lower().endswith(".npz"):
        raise InputError(
            f"{where} takes {listed(found.input.tensors)}: expected --data FILE.npz with an array [n, ...] for each, "
            f"named like it, received {source!r}. (A model of images takes one, [height, width, 1 or 3].)"
        )
    else:
        data = Arrays.model_validate(settings)
    recipe = Recipe(name=subject.name, task=Inference(), data=data.located(), model=origin)
    recipe = overridden(recipe, overrides)
    data = recipe.data
    if isinstance(found.input, Image) and isinstance(data, Images):
        height, width, channels = found.input.shape
        if (*data.image_size, data.channels) != found.input.shape:
            raise InputError(
                f"{where} takes images of {height}x{width}x{channels}: data.image_size and data.channels are the "
                "model's and can't be changed. data.resize says how images are brought to that size."
            )
    if data.labels != "none" and found.row is None:
        raise InputError(
            f"{where} gives {listed(found.outputs)}: data.labels={data.labels} is for one row of outputs. Leave it "
            "out: the model is judged by agreement."
        )
    if not any(item.startswith("task") for item in overrides):
        recipe = recipe.model_copy(update={"task": TASKS[data.labels]})
    check(recipe)
    return recipe


def _contract(found: Found, recipe: Recipe, splits: Splits, where: str) -> tuple[Found, Contract]:
    """The model with the outputs that its task means, and what it takes and gives.

    Raises:
        InputError: the data has other tensors, or another number of classes.
    """
    for wanted, given in matched(found.input.tensors, splits.input.tensors, f"data {splits.name!r}", "gives"):
        if isinstance(found.input, AnyInput) and given.dtype != wanted.dtype:
            raise InputError(
                f"data {splits.name!r} has {given.name} as {given.dtype}, {where} takes {wanted.dtype}: convert it."
            )
    input = found.input if isinstance(found.input, AnyInput) else splits.input
    task = recipe.task
    if task.gives == "classes":
        found = with_outputs(found, len(splits.class_names), where)
        return found, Contract(task, input, found.classes(splits.class_names))
    if task.gives == "number":
        if found.row != 1:
            raise InputError(f"{where} has {found.row} outputs; data.labels=numbers is for models with one.")
        return found, Contract.of(task, splits)._replace(input=input)
    return found, Contract(task, input, Tensors.of(found.outputs))


def _score(found: Found, contract: Contract, splits: Splits, seed: int) -> dict[str, Any]:
    if contract.output.measure is None:
        return {}
    examples = held_out.drawn(splits.validation, held_out.SAMPLES, seed)
    inputs, targets = (
        examples.arrays([spec.name for spec in side]) for side in (contract.input.tensors, contract.output.targets)
    )
    return held_out.figures(contract.output, predicted(found.model, inputs, contract.output.tensors, 32), targets)


def _report(
    run: Run,
    name: str,
    found: Found,
    contract: Contract,
    splits: Splits,
    score: dict[str, Any],
    *,
    in_memory: bool,
) -> None:
    """Says what was adopted, how its images are resized, and what a person can compare with their training."""
    output, data = contract.output, run.recipe.data
    takes, gives = listed(contract.input.tensors), output.line()
    if isinstance(contract.input, Image):
        takes = f"images of {contract.input.height}x{contract.input.width}, pixels {found.pixels}"
    if isinstance(output, Classes):
        gives = f"{output.form} of {output.line()}"
    console.say(f"{run.folder}: {name}, {found.model.count_params():,} parameters; takes {takes}; gives {gives}")
    if isinstance(data, Images) and not in_memory:
        console.say(_RULES[data.resize])
    if score and (warning := held_out.warning(output, score)):
        console.say(warning)
    if isinstance(output, Classes):
        console.say(f"data: {_order(splits.class_names)}")
    for line in splits.remarks():
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
