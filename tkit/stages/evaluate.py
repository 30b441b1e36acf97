"""The evaluate stage: any model on labelled pictures, what it gets right, and what it gets wrong."""

from __future__ import annotations

import shutil
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np

from tkit import files
from tkit.evaluate import metrics, pictures
from tkit.evaluate.subjects import KERAS, Subject, of_bundle, of_run, of_tflite
from tkit.models.keras_file import Pixels, is_model
from tkit.recipe import data_with_overrides
from tkit.run import Run
from tkit.stages._common import as_run, data_of, load_data, named, refuse_unused
from tkit.stages.adopt import adopt
from tkit_edge.errors import BoundError, InputError
from tkit_edge.predict import probabilities
from tkit_pipelines.dataset import Examples, Splits
from tkit_pipelines.images import Images
from tkit_pipelines.progress import progress

Split = Literal["test", "validation", "train"]
SHOWN_MISTAKES = 30
_CHUNK = 128  # pictures classified in one call


@files.writing()
def evaluate(
    subject: Run | str | Path,
    *,
    data: str | None = None,
    split: Split = "test",
    variant: str | None = None,
    format: str | None = None,
    pixels: Pixels | None = None,
    mirror: bool = False,
    output: str | Path | None = None,
    runs_dir: str | Path | None = None,
    overrides: Sequence[str] = (),
) -> dict[str, Any]:
    """Accuracy with its interval, figures a class, confusion matrix, calibration and the most confident mistakes.

    Args:
        subject: a run or its folder, a bundle, a .tflite file, or a .keras file.
        data: labelled pictures as `data.source` takes them; a run has its own.
        split: which part of them; "test" is the one that nothing was chosen by.
        variant: of a run; the newest by default.
        format: of a run "keras" (the default) or an exported format; of a bundle a format, int8 by default.
        pixels: what pixels a .keras or .tflite file takes, where it doesn't show it.
        mirror: average the scores of each picture and its mirror image (test-time flip): twice the work on the device.
        output: a folder for the JSON and the pictures; a run's results on its own data lie in <variant>/evaluate/.
        runs_dir: where a run's name is looked up, and where the run of a .keras file is made.
        overrides: of the data, such as "data.skip_bad=true" or "data.resize=keras-crop".

    Returns:
        What `metrics.figures` gives, with model, data, split, mistakes (file, true and predicted class, confidence) and
        `folder`, where it was written.

    Raises:
        InputError: something that can't be evaluated, or data whose classes aren't the model's.
    """
    began = time.perf_counter()
    path = None if isinstance(subject, Run) else Path(subject)
    if path is not None and is_model(path):
        if data is None:
            raise InputError(f"{path} needs labelled pictures: --data DATA (a folder with one folder a class).")
        subject, data = adopt(path, data=data, pixels=pixels, runs_dir=runs_dir, overrides=overrides), None
        path = None
    if path is not None and (path.suffix == ".tflite" or (path / "bundle.json").is_file()):
        if data is None:
            raise InputError(f"{path} needs labelled pictures: --data DATA (a folder with one folder a class).")
        bare = path.suffix == ".tflite"
        unused = {"format": format} if bare else {"pixels": pixels}
        refuse_unused(f"{path}, an exported file,", variant=variant, runs_dir=runs_dir, **unused)
        with of_tflite(path, pixels) if bare else of_bundle(path, format) as opened:
            height, width, channels = opened.model.shape
            resize = opened.model.resize
            source = Images(source=data, image_size=(height, width), channels=channels, resize=resize)
            source = data_with_overrides(source, overrides)
            result, shown = _measure(opened, data, load_data(source, 0), split, mirror)
        return _write(result, shown, Path(output)) if output is not None else result
    run = as_run(subject, runs_dir).with_overrides(overrides)
    if path is not None:
        refuse_unused(f"{run.folder}, a run,", pixels=pixels)
    variant = variant or run.variant
    other = None if data is None else run.recipe.data.model_copy(update={"source": data})
    splits = data_of(run) if other is None else load_data(other, run.recipe.seed)
    with of_run(run, variant, format or KERAS) as opened:
        result, shown = _measure(opened, data or run.recipe.data.source, splits, split, mirror)
    if output is not None or data is not None:
        return result if output is None else _write(result, shown, Path(output))
    return _record(run, variant, result, shown, began)


def _measure(
    subject: Subject, source: str, splits: Splits, split: Split, mirror: bool
) -> tuple[dict[str, Any], np.ndarray]:
    """The figures, and the pictures of the mistakes that are shown."""
    labels = subject.model.labels
    if len(labels) != len(splits.class_names) or (subject.named and labels != splits.class_names):
        raise InputError(
            f"The classes of data {source!r} are not those of {subject.file}: expected {named(labels)}, "
            f"received {named(splits.class_names)}."
        )
    examples: Examples = getattr(splits, split)
    shares = _classify(subject, examples, mirror)
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


def require(result: dict[str, Any], at_least: float, *, by_interval: bool = False) -> None:
    """Raises BoundError where the accuracy of a `result` of `evaluate`, or its interval's lower end, is too low."""
    low, high = result["interval"]
    if not (low if by_interval else result["accuracy"]) >= at_least:
        raise BoundError(
            f"Accuracy {result['accuracy']:.2%} (95 % {low:.2%} to {high:.2%}) on {result['samples']:,} "
            f"{result['split']} images: expected at least {at_least:.2%}{' by the lower end' if by_interval else ''}.",
            result,
        )


def _classify(subject: Subject, examples: Examples, mirror: bool) -> np.ndarray:
    parts = []
    with progress("evaluating", len(examples)) as advance:
        for start in range(0, len(examples), _CHUNK):
            images = examples.images[start : start + _CHUNK]
            scores = subject.model.run(images)
            if mirror:
                scores = (scores + subject.model.run(np.ascontiguousarray(images[:, :, ::-1]))) / 2
            parts.append(probabilities(scores, subject.model.output))
            advance(len(images))
    shares = np.concatenate(parts)
    if not np.isfinite(shares).all():
        raise InputError(f"{subject.file} gives values that are not finite: its weights or its file are damaged.")
    return shares


def _write(result: dict[str, Any], shown: np.ndarray, folder: Path) -> dict[str, Any]:
    """The JSON and the pictures, in `folder`."""
    names, split = [item["name"] for item in result["per_class"]], result["split"]
    result = {**result, "folder": str(folder)}
    files.write_bytes(folder / "confusion.png", pictures.confusion_png(np.array(result["confusion"]), names, split))
    files.write_bytes(folder / "reliability.png", pictures.reliability_png(result["calibration"], split))
    files.write_bytes(folder / "mistakes.png", pictures.mistakes_png(shown, result["mistakes"], names, split))
    files.write_json(folder / "evaluate.json", result)
    return result


def _record(run: Run, variant: str, result: dict[str, Any], shown: np.ndarray, began: float) -> dict[str, Any]:
    """Writes the results into the run, beside those of other files and splits that are still of the same models."""
    top = run.folder / variant / "evaluate"
    key = f"{result['model']['format']}-{result['split']}{'-mirror' if result['mirror'] else ''}"
    result = _write(result, shown, top / key)
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
