"""The work of the evaluate stage: figures, plots, and the run's manifest entry."""

from __future__ import annotations

import shutil
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, NoReturn

import numpy as np

from tkit import files
from tkit.evaluation import Evaluation
from tkit.evaluation.inception import Inception
from tkit.evaluation.judge import FOLDER as JUDGE
from tkit.evaluation.judge import Judge
from tkit.keras_files.formats import Pixels
from tkit.recipe_loading import data_with_overrides
from tkit.ruler import Ruler
from tkit.run_folder import Run
from tkit.stages._common import data_of, load_data, named, refuse_unused
from tkit.stages._subjects import KERAS, Subject, of_bundle, of_run, of_tflite
from tkit.tasks import task_for
from tkit_edge.bundle import Bundle
from tkit_edge.errors import InputError
from tkit_edge.inputs import Input
from tkit_edge.inputs.image import Image
from tkit_edge.inputs.noise import Noise
from tkit_edge.inputs.text import Text
from tkit_edge.outputs import Output
from tkit_edge.outputs.classes import Classes
from tkit_edge.outputs.image import Image as MadeImage
from tkit_edge.tensors import Arrays as Tensors
from tkit_pipelines.data import TARGETS, Data
from tkit_pipelines.data.arrays import Arrays
from tkit_pipelines.data.images import Images
from tkit_pipelines.data.texts import Texts
from tkit_pipelines.dataset import Examples
from tkit_pipelines.progress import progress
from tkit_pipelines.splits import Splits

_CHUNK = 128  # examples of one call


Measured = tuple[dict[str, Any], dict[str, bytes]]
"""The figures as JSON values, and the plots: PNG bytes by file name."""


def of_exported(
    path: Path,
    format: str | None,
    pixels: Pixels | None,
    data: str,
    split: str,
    mirror: bool,
    overrides: Sequence[str],
) -> Measured:
    """What `_measured` gives for a bundle or a .tflite file, on labelled data that fits it."""
    with of_tflite(path, pixels) if path.suffix == ".tflite" else of_bundle(path, format) as opened:
        task_for(opened.model.output).evaluation(opened.model.output)  # before anything else is read
        settings = data_with_overrides(_data_for(opened.model.input, opened.model.output, data), overrides)
        return _measured(opened, data, load_data(settings, 0, opened.model.input), split, mirror)


def refuse_without_data(path: Path) -> NoReturn:
    """Raises InputError for a bundle or a model file that no data was given for."""
    if path.is_dir():
        output = Bundle.read(path).output
        task_for(output).evaluation(output)  # which raises where no data would help
    raise InputError(f"{path} needs labelled images: --data DATA (a folder with one folder a class).")


def _data_for(input: Input, output: Output, source: str) -> Data:
    """The settings of data that a model takes."""
    column = task_for(output).targets[0]
    labels = next(labels for labels, name in TARGETS.items() if name == column)
    if isinstance(input, Image):
        size = (input.height, input.width)
        return Images.model_validate(
            {"source": source, "labels": labels, "image_size": size, "channels": input.channels, "resize": input.resize}
        )
    if isinstance(input, Text):
        return Texts.model_validate({"source": source, "labels": labels, "length": input.length})
    return Arrays.model_validate({"source": source, "labels": labels, "targets": column})


def of_variant(
    run: Run,
    variant: str,
    format: str | None,
    data: str | None,
    split: str,
    mirror: bool,
    inception: str | Path | None,
) -> Measured:
    """The same for a run's Keras model or exported file, on `data` or the run's own; `inception` is a file's path."""
    network = None
    if isinstance(run.output, MadeImage):
        Judge.read(run.folder / JUDGE)  # before anything else is read, as below
        network = Inception(Path(inception)) if inception is not None else None
    else:
        refuse_unused(f"{run.folder}, which makes no images,", inception=inception)
        run.recipe.task.evaluation(run.output)
    other = None if data is None else run.recipe.data.model_copy(update={"source": data})
    seed, task = run.recipe.seed, run.recipe.task
    splits = data_of(run) if other is None else task.prepared(load_data(other, seed, run.input), seed)
    with of_run(run, variant, format or KERAS) as opened:
        ruler = task.ruler(run.folder, splits)
        return _measured(opened, data or run.recipe.data.source, splits, split, mirror, ruler, network)


def _measured(
    subject: Subject,
    source: str,
    splits: Splits,
    split: str,
    mirror: bool,
    ruler: Ruler | None = None,
    network: Inception | None = None,
) -> Measured:
    """The figures and the plots; of made images by `ruler`, and where there is one by Inception's network."""
    output, input = subject.model.output, subject.model.input
    labels = output.names if isinstance(output, Classes) else input.classes if isinstance(input, Noise) else ()
    if labels and (len(labels) != len(splits.class_names) or (subject.named and labels != splits.class_names)):
        raise InputError(
            f"The classes of data {source!r} are not those of {subject.file}: expected {named(labels)}, "
            f"received {named(splits.class_names)}."
        )
    if isinstance(output, Classes):
        output = replace(output, names=splits.class_names)
    if mirror and not isinstance(input, Image):
        raise InputError(f"mirror averages an image and its mirror image; {subject.file} takes no images.")
    evaluation = task_for(output).evaluation(output, ruler)
    examples: Examples = getattr(splits, split)
    outputs = _run(subject, evaluation, examples, mirror)
    figures, plots = evaluation.report(outputs, examples, split)
    if network is not None and isinstance(output, MadeImage):
        figures["inception"] = network.measured(output.pixels(outputs), examples.images)
    result = {
        "kind": "evaluate",
        "version": 1,
        "model": {"file": str(subject.file), "format": subject.format, "sha256": files.sha256(subject.file)},
        "output": output.kind,
        "example": input.example,
        "data": source,
        "split": split,
        "mirror": mirror,
        **figures,
        "folder": None,
    }
    return result, plots


def _run(subject: Subject, evaluation: Evaluation, examples: Examples, mirror: bool) -> Tensors:
    names = [spec.name for spec in subject.model.input.tensors]
    parts = []
    with progress("evaluating", len(examples)) as advance:
        for start in range(0, len(examples), _CHUNK):
            arrays = {name: examples.columns[name][start : start + _CHUNK] for name in names}
            outputs = subject.model.run(arrays)
            if mirror:
                turned = {"image": np.ascontiguousarray(arrays["image"][:, :, ::-1])}
                outputs = evaluation.averaged(outputs, subject.model.run(turned))
            parts.append(outputs)
            advance(len(arrays[names[0]]))
    found = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
    if not all(np.isfinite(array).all() for array in found.values()):
        raise InputError(f"{subject.file} gives values that are not finite: its weights or its file are damaged.")
    return found


def write(result: dict[str, Any], plots: dict[str, bytes], folder: Path) -> dict[str, Any]:
    """The JSON and the plots, in `folder`."""
    result = {**result, "folder": str(folder)}
    for name, data in plots.items():
        files.write_bytes(folder / name, data)
    files.write_json(folder / "evaluate.json", result)
    return result


def record(run: Run, variant: str, result: dict[str, Any], plots: dict[str, bytes], began: float) -> dict[str, Any]:
    """Writes the results into the run, beside those of other files and splits that are still of the same models."""
    top = run.folder / variant / "evaluate"
    key = f"{result['model']['format']}-{result['split']}{'-mirror' if result['mirror'] else ''}"
    result = write(result, plots, top / key)
    earlier = run.manifest["stages"].get(f"{variant}/evaluate", {}).get("metrics", {})
    kept = {name: item for name, item in earlier.items() if name != key and _still_true(item, run, top / name)}
    for folder in top.iterdir():
        if folder.name not in (key, *kept):
            shutil.rmtree(folder)
    run.finish(
        "evaluate",
        variant,
        inputs=[_model_file(item, run) for item in (*kept.values(), result)],
        outputs=sorted(path for name in (*kept, key) for path in (top / name).iterdir()),
        metrics={**kept, key: result},
        seconds=time.perf_counter() - began,
    )
    return result


def _still_true(result: dict[str, Any], run: Run, folder: Path) -> bool:
    """Whether an earlier result is there, and of a model that the run still has; it may be a stranger's run."""
    path = _model_file(result, run)
    inside = path.resolve().is_relative_to(run.folder.resolve())
    return inside and folder.is_dir() and path.is_file() and files.sha256(path) == result["model"]["sha256"]


def _model_file(result: dict[str, Any], run: Run) -> Path:
    """The evaluated file, below the run's folder as that is written now."""
    path = Path(result["model"]["file"])
    top, resolved = run.folder.resolve(), path.resolve()
    return run.folder / resolved.relative_to(top) if resolved.is_relative_to(top) else path
