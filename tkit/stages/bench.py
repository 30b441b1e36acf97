"""The bench stage: a variant's exported files measured by tkit_edge, in a process of its own."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from tkit import console, files
from tkit.run import Run
from tkit.stages._common import as_run, is_dry, load_data
from tkit.stages.export import with_overrides
from tkit_edge.errors import InputError

DRY_RUN_TEST_PICTURES = 16


@files.writing()
def bench(run: Run | str | Path, *, variant: str | None = None, overrides: Sequence[str] = ()) -> dict[str, Any]:
    """Measures each exported file: load, first run, latency, throughput, memory, and accuracy on the test split.

    Args:
        run: a run or its folder.
        variant: `float` or one that compression made; the newest by default.
        overrides: changes to the recipe's `bench` for this time, such as "bench.seconds=5".

    Returns:
        The stage's manifest entry; `metrics` is what tkit_edge reports. The same as a table is in `bench/bench.txt`.
    """
    began = time.perf_counter()
    run = as_run(run)
    variant = variant or run.variant
    run.entry("export", variant)  # the files count only once the export stage has finished
    folder = run.variant_folder(variant)
    recipe = with_overrides(run.recipe, overrides)
    test = load_data(recipe.data, recipe.seed).test
    limit = DRY_RUN_TEST_PICTURES if is_dry(recipe) else None
    report, table = folder / "bench" / "bench.json", folder / "bench" / "bench.txt"
    report.parent.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="tkit-bench-") as scratch:
        pictures = Path(scratch) / "test.npz"
        np.savez(pictures, images=test.images[:limit], labels=test.labels[:limit])
        made = Path(scratch) / "bench.json"
        command = [sys.executable, "-m", "tkit_edge", "bench", str(folder / "export")]
        command += ["--seconds", str(recipe.bench.seconds), "--test", str(pictures), "--output", str(made)]
        # On standard output comes the table; on standard error progress, which goes where the rest of it goes.
        said = subprocess.PIPE if console.level() == "quiet" else None
        done = subprocess.run(command, stdout=subprocess.PIPE, stderr=said, text=True)
        if done.returncode:
            raise InputError(f"The measurement failed with exit code {done.returncode}. {done.stderr or ''}".strip())
        metrics = json.loads(made.read_text(encoding="utf-8"))
    files.write_json(report, metrics)
    files.write_bytes(table, done.stdout.encode())
    return run.finish(
        "bench",
        variant,
        inputs=sorted((folder / "export").glob("*.tflite")),
        outputs=[report, table],
        metrics=metrics,
        seconds=time.perf_counter() - began,
    )
