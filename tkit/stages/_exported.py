"""What a device is given: a run's exported bundle, a bundle's folder, or a .tflite file."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from tkit.run_folder import Run
from tkit.stages._common import as_run, refuse_unused
from tkit_edge import files, flatbuffer
from tkit_edge.errors import InputError


class Exported(NamedTuple):
    """Files for a device, and the run that they are of."""

    path: Path
    """The bundle's folder, or the .tflite file."""
    run: Run | None
    variant: str | None


def exported(subject: Run | str | Path, variant: str | None, runs_dir: str | Path | None, *, bare: bool) -> Exported:
    """The files that `subject` names.

    Args:
        subject: a run or its folder, a bundle's folder, or a .tflite file.
        variant: of a run; the newest by default.
        runs_dir: where a run's name is looked up.
        bare: whether a .tflite file, without golden samples, is enough.

    Raises:
        InputError: nothing there, nothing exported, or a damaged file.
    """
    if not isinstance(subject, Run):
        path = Path(subject)
        if path.suffix == ".tflite":
            if not bare:
                raise InputError(
                    f"{path} is one file: this needs a run or a bundle, which says what it takes and gives."
                )
            flatbuffer.read(files.read_bytes(path), str(path))
            refuse_unused(f"{path}, a model file,", variant=variant)
            return Exported(path, None, None)
        if (path / "bundle.json").is_file():
            refuse_unused(f"{path}, a bundle,", variant=variant)
            return Exported(path, None, None)
    run = as_run(subject, runs_dir)
    variant = variant or run.variant
    return Exported(run.whole("export", variant) / "export", run, variant)
