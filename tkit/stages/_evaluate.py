"""The work of the evaluate stage: figures, plots, and the run's manifest entry."""

from __future__ import annotations

import shutil
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from tkit import files
from tkit.evaluation import metrics, plots
from tkit.keras_files.formats import Pixels
from tkit.recipe_loading import data_with_overrides
from tkit.run_folder import Run
from tkit.stages._common import data_of, load_data, named
from tkit.stages._subjects import KERAS, Subject, of_bundle, of_run, of_tflite
from tkit_edge.errors import InputError
from tkit_edge.inputs.image import Image
from tkit_edge.outputs.classes import Classes, probabilities
from tkit_pipelines.data.images import Images
from tkit_pipelines.dataset import Examples
from tkit_pipelines.progress import progress
from tkit_pipelines.splits import Splits

SHOWN_MISTAKES = 30
_CHUNK = 128  # images classified in one call


def of_exported(
    path: Path,
    format: str | None,
    pixels: Pixels | None,
    data: str,
    split: str,
    mirror: bool,
    overrides: Sequence[str],
) -> tuple[dict[str, Any], np.ndarray]:
    """What `_measured` gives for a bundle or a .tflite file, on labelled images of the size that it takes."""
    with of_tflite(path, pixels) if path.suffix == ".tflite" else of_bundle(path, format) as opened:
        takes = opened.model.input
        assert isinstance(takes, Image)
        source = Images(
            source=data, image_size=(takes.height, takes.width), channels=takes.channels, resize=takes.resize
        )
        splits = load_data(data_with_overrides(source, overrides), 0)
        return _measured(opened, data, splits, split, mirror)


def of_variant(
    run: Run, variant: str, format: str | None, data: str | None, split: str, mirror: bool
) -> tuple[dict[str, Any], np.ndarray]:
    """The same for a run's Keras model or exported file, on `data` or the run's own."""
    other = None if data is None else run.recipe.data.model_copy(update={"source": data})
    splits = data_of(run) if other is None else load_data(other, run.recipe.seed)
    with of_run(run, variant, format or KERAS) as opened:
        return _measured(opened, data or run.recipe.data.source, splits, split, mirror)


def _measured(
    subject: Subject, source: str, splits: Splits, split: str, mirror: bool
) -> tuple[dict[str, Any], np.ndarray]:
    """The figures, and the images of the mistakes that are shown."""
    output = subject.model.output
    assert isinstance(output, Classes)
    labels = output.names
    if len(labels) != len(splits.class_names) or (subject.named and labels != splits.class_names):
        raise InputError(
            f"The classes of data {source!r} are not those of {subject.file}: expected {named(labels)}, "
            f"received {named(splits.class_names)}."
        )
    examples: Examples = getattr(splits, split)
    shares = _classify(subject, output, examples, mirror)
    wrong = [
        {
            **item,
            "file": examples.file(item["index"]),
            "true_class": splits.class_names[item["true"]],
            "predicted_class": splits.class_names[item["predicted"]],
        }
        for item in metrics.mistakes(examples.labels, shares, SHOWN_MISTAKES)
    ]
    result = {
        "kind": "evaluate",
        "version": 1,
        "model": {"file": str(subject.file), "format": subject.format, "sha256": files.sha256(subject.file)},
        "data": source,
        "split": split,
        "mirror": mirror,
        **metrics.figures(examples.labels, shares, splits.class_names),
        "mistakes": wrong,
        "folder": None,
    }
    return result, np.stack([examples.images[item["index"]] for item in wrong]) if wrong else examples.images[:0]


def _classify(subject: Subject, output: Classes, examples: Examples, mirror: bool) -> np.ndarray:
    parts = []
    with progress("evaluating", len(examples)) as advance:
        for start in range(0, len(examples), _CHUNK):
            images = examples.images[start : start + _CHUNK]
            scores = output.scores(subject.model.run({"image": images}))
            if mirror:
                turned = np.ascontiguousarray(images[:, :, ::-1])
                scores = (scores + output.scores(subject.model.run({"image": turned}))) / 2
            parts.append(probabilities(scores, output.form))
            advance(len(images))
    shares = np.concatenate(parts)
    if not np.isfinite(shares).all():
        raise InputError(f"{subject.file} gives values that are not finite: its weights or its file are damaged.")
    return shares


def write(result: dict[str, Any], shown: np.ndarray, folder: Path) -> dict[str, Any]:
    """The JSON and the images, in `folder`."""
    names, split = [item["name"] for item in result["per_class"]], result["split"]
    result = {**result, "folder": str(folder)}
    files.write_bytes(folder / "confusion.png", plots.confusion_png(np.array(result["confusion"]), names, split))
    files.write_bytes(folder / "reliability.png", plots.reliability_png(result["calibration"], split))
    files.write_bytes(folder / "mistakes.png", plots.mistakes_png(shown, result["mistakes"], names, split))
    files.write_json(folder / "evaluate.json", result)
    return result


def record(run: Run, variant: str, result: dict[str, Any], shown: np.ndarray, began: float) -> dict[str, Any]:
    """Writes the results into the run, beside those of other files and splits that are still of the same models."""
    top = run.folder / variant / "evaluate"
    key = f"{result['model']['format']}-{result['split']}{'-mirror' if result['mirror'] else ''}"
    result = write(result, shown, top / key)
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
