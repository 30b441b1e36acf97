"""The evaluate stage: any model on labelled images, what it gets right, and what it gets wrong."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from tkit.keras_files.formats import Pixels, is_model
from tkit.results.evaluate import EvaluateResult
from tkit.run_folder import Run
from tkit.stages._common import as_run, refuse_unused, stage
from tkit.stages.adopt import adopt
from tkit_edge.errors import BoundError, InputError

if TYPE_CHECKING:
    import keras

Split = Literal["test", "validation", "train"]


@stage()
def evaluate(
    subject: Run | keras.Model | str | Path,
    *,
    data: Any = None,
    split: Split = "test",
    variant: str | None = None,
    format: str | None = None,
    pixels: Pixels | None = None,
    mirror: bool = False,
    inception: str | Path | None = None,
    output: str | Path | None = None,
    runs_dir: str | Path | None = None,
    overrides: Sequence[str] = (),
) -> EvaluateResult:
    """Accuracy with its interval, figures a class, confusion matrix, calibration and the most confident mistakes.

    Args:
        subject: a run or its folder, a bundle, a .tflite file, a .keras file, or a `keras.Model`.
        data: labelled images as `data.source` takes them; of a model also what `tkit.adopt` takes. A run has its own.
        split: which part of them; "test" is the one that nothing was chosen by.
        variant: of a run; the newest by default.
        format: of a run "keras" (the default) or an exported format; of a bundle a format, int8 by default.
        pixels: what pixels a .keras or .tflite file takes, where it doesn't show it.
        mirror: average the scores of each image and its mirror image (test-time flip): twice the work on the device.
        inception: of a run that makes images: the file of `tkit.evaluation.inception`, for FID and Inception Score.
        output: a folder for the JSON and the images; a run's results on its own data lie in <variant>/evaluate/.
        runs_dir: where a run's name is looked up, and where the run of a .keras file is made.
        overrides: of the data, such as "data.skip_bad=true" or "data.resize=keras-crop".

    Returns:
        What `metrics.figures` gives, with model, data, split, mistakes (file, true and predicted class, confidence) and
        `folder`, where it was written; of made images what `Reference.figures` gives, their distances, and `inception`.

    Raises:
        InputError: something that can't be evaluated, or data whose classes aren't the model's.
    """
    from tkit.stages import _evaluate

    began = time.perf_counter()
    path = Path(subject) if isinstance(subject, (str, Path)) else None
    if path is not None and data is None and (is_model(path) or _is_exported(path)):
        _evaluate.refuse_without_data(path)
    if not isinstance(subject, Run) and (path is None or is_model(path)):
        run, source = adopt(subject, data, pixels=pixels, runs_dir=runs_dir, overrides=overrides), None
    elif path is not None and _is_exported(path):
        unused = {"format": format} if path.suffix == ".tflite" else {"pixels": pixels}
        refuse_unused(f"{path}, an exported file,", variant=variant, runs_dir=runs_dir, inception=inception, **unused)
        result, plots = _evaluate.of_exported(path, format, pixels, _source(data), split, mirror, overrides)
        return EvaluateResult(result if output is None else _evaluate.write(result, plots, Path(output)))
    else:
        run, source = as_run(subject, runs_dir), None if data is None else _source(data)
        refuse_unused(f"{run.folder}, a run,", pixels=pixels)
    run = run.with_overrides(overrides)
    variant = variant or run.variant
    result, plots = _evaluate.of_variant(run, variant, format, source, split, mirror, inception)
    if output is not None or source is not None:
        return EvaluateResult(result if output is None else _evaluate.write(result, plots, Path(output)))
    return EvaluateResult(_evaluate.record(run, variant, result, plots, began))


def _source(data: Any) -> str:
    """Where data for a run or an exported file is; InputError for data in memory."""
    if isinstance(data, (str, Path)):
        return str(data)
    raise InputError(
        f"data is a {type(data).__name__}; a run or an exported file is evaluated on a path or name of data. Data in "
        "memory goes with the model: tkit.adopt(model, data)"
    )


def _is_exported(path: Path) -> bool:
    return path.suffix == ".tflite" or (path / "bundle.json").is_file()


def require(result: dict[str, Any], at_least: float, *, by_interval: bool = False) -> None:
    """Raises BoundError where the accuracy of a `result` of `evaluate`, or its interval's lower end, is too low.

    Raises:
        InputError: the model is no classifier.
    """
    if "accuracy" not in result:
        does = "makes images" if result["output"] == "image" else "predicts a number"
        raise InputError(f"A lowest accuracy (--at-least) is for classifiers; this model {does}.")
    low, high = result["interval"]
    if not (low if by_interval else result["accuracy"]) >= at_least:
        raise BoundError(
            f"Accuracy {result['accuracy']:.2%} (95 % {low:.2%} to {high:.2%}) on {result['samples']:,} "
            f"{result['split']} images: expected at least {at_least:.2%}{' by the lower end' if by_interval else ''}.",
            result,
        )
