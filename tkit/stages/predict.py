"""Predicting with any model for images, texts or arrays, through the code that a device runs."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import replace
from pathlib import Path

from tkit import console
from tkit.keras_files.formats import Pixels, is_model
from tkit.run_folder import Run
from tkit.stages._common import as_run, refuse_unused, stage
from tkit.stages._subjects import Subject, of_bundle, of_keras, of_run, of_tflite
from tkit_edge.errors import InputError
from tkit_edge.inputs.image import Image
from tkit_edge.outputs.classes import Classes
from tkit_edge.predict import Prediction
from tkit_edge.predict import predict as classify


@stage()
def predict(
    subject: Run | str | Path,
    items: Sequence[str | Path],
    *,
    top: int | None = None,
    variant: str | None = None,
    format: str | None = None,
    pixels: Pixels | None = None,
    runs_dir: str | Path | None = None,
    resize: str | None = None,
) -> list[Prediction]:
    """What a model predicts for images, texts or arrays.

    Args:
        subject: a run or its folder, a bundle, a .tflite file or a .keras file; the classes of the last two are
            numbers, because the files don't hold names.
        items: image files, or folders of them; texts as they are, .txt files, folders of them, or "-": a text per line
            of standard input; .npz files.
        top: how many classes of each; of other models none may be asked for.
        variant: of a run; the newest by default.
        format: "keras" or an exported format; int8 where it is exported, else what there is.
        pixels: what pixels a .keras or .tflite file takes, where it doesn't show it.
        runs_dir: where a run's name is looked up; $TKIT_RUNS or ./runs by default.
        resize: as `data.resize`; by default as the run or bundle has it, "keras" for a bare file.

    Returns:
        One prediction per item, in order; one that can't be read has an `error`.

    Raises:
        InputError: no such model, or nothing can be read.

    Example:
        >>> tkit.predict("runs/digits_cnn-1", ["seven.png"])[0].answer.classes[0].label
        '7'
    """
    with _open(subject, variant, format, pixels, runs_dir) as opened:
        unnamed = not opened.named and isinstance(opened.model.output, Classes)
        console.say(f"{opened.file}" + (": classes are numbers, in the order of its outputs" if unnamed else ""))
        model = opened.model
        if resize is not None:
            if not isinstance(model.input, Image):
                raise InputError(f"resize={resize} is for images; {opened.file} takes another kind of input.")
            model = replace(model, input=replace(model.input, resize=resize))
        return classify([str(item) for item in items], model, top)


def _open(
    subject: Run | str | Path,
    variant: str | None,
    format: str | None,
    pixels: Pixels | None,
    runs_dir: str | Path | None,
) -> AbstractContextManager[Subject]:
    if not isinstance(subject, Run):
        path = Path(subject)
        if is_model(path) or path.suffix == ".tflite":
            refuse_unused(f"{path}, a model file,", variant=variant, format=format)
            return of_keras(path, pixels) if is_model(path) else of_tflite(path, pixels)
        if (path / "bundle.json").is_file():
            refuse_unused(f"{path}, a bundle,", variant=variant, pixels=pixels)
            return of_bundle(path, format)
    run = as_run(subject, runs_dir)
    refuse_unused(f"{run.folder}, a run,", pixels=pixels)
    return of_run(run, variant or run.variant, format)
