"""Exporting a model as something else than .tflite files: C code, ONNX, the files of an app."""

from __future__ import annotations

import time
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from tkit import console, files
from tkit.conversion.config import Export
from tkit.handovers import Handover, Source, handover_of
from tkit.results.handover import HandoverResult
from tkit.run_folder import Run
from tkit.stages._common import data_of, stage
from tkit.stages._exported import exported
from tkit.stages.export import export
from tkit_edge.bundle import Bundle
from tkit_edge.errors import InputError

if TYPE_CHECKING:
    import keras

    from tkit.conversion.reference import Reference


@stage()
def hand_over(
    subject: Run | str | Path,
    form: Handover | str,
    *,
    variant: str | None = None,
    out: str | Path | None = None,
    runs_dir: str | Path | None = None,
) -> HandoverResult:
    """Writes what an exported model becomes for those who build it into something else.

    Args:
        subject: a run or its folder, which is exported first where it isn't yet; a bundle or a .tflite file.
        form: such as "c", "onnx" or "android".
        variant: of a run; the newest by default.
        out: the folder to write, which is made; by default the run's `<variant>/<kind>/`.
        runs_dir: where a run's name is looked up; $TKIT_RUNS or ./runs by default.

    Returns:
        `["folder"]`, `["files"]` and the kind's figures, `["metrics"]`; a run's manifest keeps them.

    Raises:
        InputError: the model can't be had in this form; every operator or layer that is in the way is named.
        BoundError: it misses a bound of the parity gate.

    Example:
        >>> tkit.hand_over("runs/digits_cnn-1", "c")["folder"]
        'runs/digits_cnn-1/float/c'
    """
    began, form = time.perf_counter(), handover_of(form) if isinstance(form, str) else form
    if not isinstance(subject, Run) and not _is_file(Path(subject)):
        subject = Run.open(subject, runs_dir)
    run = subject if isinstance(subject, Run) else None
    if run is not None and not run.counts(f"{variant or run.variant}/export"):
        export(run, variant=variant)
    found = exported(subject, variant, runs_dir, bare=True)
    folder = _folder(form, found.path, run, found.variant, out)
    with files.new_folder(folder) as scratch:
        scratch.mkdir(parents=True)
        metrics = form.write(_source(found.path, run, found.variant), scratch)
    made = sorted(path for path in folder.rglob("*") if path.is_file())
    result = {"kind": form.shown_kind(), "folder": str(folder), "files": [str(p.relative_to(folder)) for p in made]}
    if run is not None and found.variant is not None and out is None:
        inputs = sorted(path for path in found.path.rglob("*") if path.is_file())
        seconds = time.perf_counter() - began
        run.finish(form.shown_kind(), found.variant, inputs=inputs, outputs=made, metrics=metrics, seconds=seconds)
    console.progress(f"{form.shown_kind()}: {metrics['line']}")
    return HandoverResult({**result, "metrics": metrics})


def _is_file(path: Path) -> bool:
    return path.suffix == ".tflite" or (path / "bundle.json").is_file()


def _folder(form: Handover, path: Path, run: Run | None, variant: str | None, out: str | Path | None) -> Path:
    if out is None:
        if run is None or variant is None:
            raise InputError(f"{path} belongs to no run: say where to write with --out DIR.")
        return run.variant_folder(variant) / form.shown_kind()
    folder = Path(out)
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise InputError(f"--out {folder}: expected a new or an empty folder; nothing is overwritten.")
    if not folder.absolute().parent.is_dir():
        raise InputError(f"--out {folder}: the folder {folder.absolute().parent} does not exist.")
    return folder


def _source(path: Path, run: Run | None, variant: str | None) -> Source:
    bundle = Bundle.read(path) if path.is_dir() else None
    file = None if path.is_dir() else path
    if run is None or variant is None:
        return Source(path.stem if file else bundle.task if bundle else "", bundle, file, Export(), None, None)

    @cache
    def model() -> keras.Model:
        from tkit import model_files
        from tkit.graph import of_size

        return of_size(model_files.load(run.model_folder(variant)), run.input.tensors)

    @cache
    def reference() -> Reference:
        from tkit.conversion.reference import Reference

        splits = data_of(run)
        return Reference.of(model(), splits, run.recipe.export, run.recipe.seed, run.contract(splits))

    return Source(run.recipe.name, bundle, None, run.recipe.export, model, reference)
