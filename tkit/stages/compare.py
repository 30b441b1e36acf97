"""Runs and variants side by side: size, size after deflate, score and latency of their exported files."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tkit import manifest
from tkit.results import variants
from tkit.results.comparison import Comparison
from tkit.run_folder import Run
from tkit.run_location import runs_folder
from tkit.stages._common import as_run, stage
from tkit_edge.errors import InputError


@stage()
def compare(*subjects: Run | str | Path, format: str | None = None, runs_dir: str | Path | None = None) -> Comparison:
    """What has been recorded of runs and variants, a row per exported file; nothing is measured.

    Args:
        subjects: runs, with all their variants, or variants by their folders, such as "runs/digits_cnn-1/prune-0.5".
        format: the files of this format alone, such as "int8".
        runs_dir: where names are looked up; $TKIT_RUNS or ./runs by default.

    Returns:
        `rows`: run, variant, format, bytes, zip_bytes, score (on test examples where `bench` has measured it, else on
        validation examples) and p50_ms.

    Raises:
        InputError: nothing to compare, no such run or variant, or no file of the format.

    Example:
        >>> tkit.compare("runs/digits_cnn-1", "runs/digits_cnn-2", format="int8").to_dataframe()
    """
    if not subjects:
        raise InputError("Nothing to compare: expected runs, or folders of their variants.")
    rows = [row for subject in subjects for row in _rows(subject, runs_dir)]
    chosen = [row for row in rows if format in (None, row["format"])]
    if not chosen:
        known = sorted({row["format"] for row in rows if row["format"]})
        raise InputError(f"No {format} file: {'exported are ' + ', '.join(known) if known else 'nothing is exported'}.")
    return Comparison(kind="comparison", version=1, rows=chosen)


def _rows(subject: Run | str | Path, runs_dir: str | Path | None) -> list[dict[str, Any]]:
    """The rows of a run, or of the variant whose folder `subject` is."""
    if not isinstance(subject, Run):
        path = Path(subject)
        if any((place.parent / manifest.NAME).is_file() for place in (path, runs_folder(runs_dir) / path)):
            run = as_run(path.parent, runs_dir)
            run.variant_folder(path.name)  # names the variants that there are
            return variants.rows(run.folder, run.manifest["stages"], path.name)
    return as_run(subject, runs_dir).comparison["rows"]
