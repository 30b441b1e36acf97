"""Measuring .tflite files with tkit_edge, in a process of its own; without TensorFlow."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tkit.bench_config import Bench
from tkit.results.bench import BenchResult
from tkit.stages._budget import overspent
from tkit.stages._common import stage
from tkit.targets.local import Local
from tkit_edge import files, flatbuffer
from tkit_edge.errors import BoundError


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
    metrics = Local().bench(path, settings)
    results = metrics["results"]
    if not path.is_dir():  # the one file is what the budget means
        results = [{**row, "format": settings.budget.format} if row["file"] == path.name else row for row in results]
    keep(settings, results)
    return BenchResult(file=str(path), metrics=metrics)


def keep(settings: Bench, results: list[dict[str, Any]]) -> None:
    """Raises BoundError where figures are past the budget, with all of them."""
    past = overspent(settings.budget, results)
    if past:
        raise BoundError("Past the budget (bench.budget):\n  " + "\n  ".join(past), {"past": past, "results": results})
