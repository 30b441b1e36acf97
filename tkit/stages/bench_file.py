"""Measuring .tflite files with tkit_edge, in a process of its own; without TensorFlow."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from tkit import console
from tkit.bench_config import Bench
from tkit.results.bench import BenchResult
from tkit.stages._budget import overspent
from tkit.stages._common import stage
from tkit_edge import files, flatbuffer
from tkit_edge.errors import BoundError, InputError
from tkit_pipelines import notebook


@stage()
def bench_file(path: str | Path, settings: Bench | None = None) -> BenchResult:
    """Measures any .tflite file or a bundle, without accuracy: there are no images to take it from.

    Args:
        path: the file or the bundle's folder.
        settings: how; the budget's `format` is that of a bundle's file.

    Returns:
        `metrics`, what tkit_edge reports, and `file`, the path.

    Raises:
        InputError: no whole .tflite file, or one that this runtime can't run.
        BoundError: a figure past the budget.

    Example: `print(tkit.bench_file("model.tflite").table)`
    """
    path, settings = Path(path), settings or Bench()
    if not path.is_dir():
        flatbuffer.read(files.read_bytes(path), str(path))
    metrics = measure(path, settings)
    results = metrics["results"]
    if not path.is_dir():  # the one file is what the budget means
        results = [{**row, "format": settings.budget.format} if row["file"] == path.name else row for row in results]
    keep(settings, results)
    return BenchResult(file=str(path), metrics=metrics)


def measure(target: Path, settings: Bench, *arguments: str) -> dict[str, Any]:
    """What `tkit-edge bench` reports of a bundle or a file, run in a process of its own."""
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
        code, said = _run(command)
        if code:
            raise InputError(f"The measurement failed with exit code {code}. {said}".strip())
        return json.loads(made.read_text(encoding="utf-8"))


def _run(command: list[str]) -> tuple[int, str]:
    """Runs a command, without the table on its standard output: its exit code, and the errors that weren't shown.

    Its progress, on standard error, goes where the rest of it goes.
    """
    if not notebook.running() and console.level() != "quiet":
        return subprocess.run(command, stdout=subprocess.DEVNULL).returncode, ""
    said = []
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        for line in process.stderr:
            said.append(line)
            console.progress(line.rstrip())
    return process.returncode, "".join(said)


def keep(settings: Bench, results: list[dict[str, Any]]) -> None:
    """Raises BoundError where figures are past the budget, with all of them."""
    past = overspent(settings.budget, results)
    if past:
        raise BoundError("Past the budget (bench.budget):\n  " + "\n  ".join(past), {"past": past, "results": results})
