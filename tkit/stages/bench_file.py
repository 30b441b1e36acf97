"""Measuring .tflite files with tkit_edge, in a process of its own; without TensorFlow."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any, NamedTuple

from tkit import console
from tkit.bench_config import Bench
from tkit.stages._budget import overspent
from tkit_edge import files, flatbuffer
from tkit_edge.errors import BoundError, InputError


class Measured(NamedTuple):
    """What tkit_edge reports of files, as JSON values and as a table."""

    metrics: dict[str, Any]
    table: str


def bench_file(path: str | Path, settings: Bench | None = None) -> Measured:
    """Measures any .tflite file or a bundle, without accuracy: there are no images to take it from.

    Args:
        path: the file or the bundle's folder.
        settings: how; the budget's `format` is that of a bundle's file.

    Raises:
        InputError: no whole .tflite file, or one that this runtime can't run.
        BoundError: a figure past the budget.

    Example: `print(tkit.bench_file("model.tflite").table)`
    """
    path, settings = Path(path), settings or Bench()
    if not path.is_dir():
        flatbuffer.read(files.read_bytes(path), str(path))
    measured = measure(path, settings)
    results = measured.metrics["results"]
    if not path.is_dir():  # the one file is what the budget means
        results = [{**row, "format": settings.budget.format} if row["file"] == path.name else row for row in results]
    keep(settings, results)
    return measured


def measure(target: Path, settings: Bench, *arguments: str) -> Measured:
    """Runs `tkit-edge bench` on a bundle or a file in a process of its own."""
    with tempfile.TemporaryDirectory(prefix="tkit-bench-") as scratch:
        made = Path(scratch) / "bench.json"
        # -P: nothing is imported from the working folder, which may have come with the file.
        command = [sys.executable, "-P", "-m", "tkit_edge", "bench", str(target), *arguments]
        command += ["--seconds", str(settings.seconds), "--output", str(made)]
        for option in ("formats", "threads", "kernels"):
            if values := getattr(settings, option):
                command += [f"--{option}", ",".join(map(str, values))]
        if settings.budget.p50_ratio is not None and settings.budget.reference.endswith(".tflite"):
            command += ["--also", settings.budget.reference]
        # On standard output comes the table; on standard error progress, which goes where the rest of it goes.
        said = subprocess.PIPE if console.level() == "quiet" else None
        done = subprocess.run(command, stdout=subprocess.PIPE, stderr=said, text=True)
        if done.returncode:
            raise InputError(f"The measurement failed with exit code {done.returncode}. {done.stderr or ''}".strip())
        return Measured(json.loads(made.read_text(encoding="utf-8")), done.stdout)


def keep(settings: Bench, results: list[dict[str, Any]]) -> None:
    """Raises BoundError where figures are past the budget, with all of them."""
    past = overspent(settings.budget, results)
    if past:
        raise BoundError("Past the budget (bench.budget):\n  " + "\n  ".join(past), {"past": past, "results": results})
