"""The bench stage: a variant's exported files measured by tkit_edge, in a process of its own."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tkit import files
from tkit.recipe_loading import with_overrides
from tkit.results.bench import BenchResult
from tkit.run_folder import Run
from tkit.stages._common import stage
from tkit.stages._models import run_of
from tkit.stages._test_examples import test_examples
from tkit.stages.bench_file import keep
from tkit.stages.export import export
from tkit.targets.local import Local
from tkit_edge.table import document_table

if TYPE_CHECKING:
    import keras


@stage()
def bench(
    run: Run | keras.Model | str | Path,
    *,
    data: Any = None,
    variant: str | None = None,
    overrides: Sequence[str] = (),
) -> BenchResult:
    """Measures each exported file: load, first run, latency, throughput, memory, and accuracy on the test split.

    Args:
        run: a run or its folder; or, with `data`, a model as `tkit.adopt` takes it, which is exported first.
        data: of that model, in memory or by name; see `tkit.adopt`.
        variant: `float` or one that compression made; the newest by default.
        overrides: changes to the recipe's `bench` for this time, such as "bench.seconds=5".

    Returns:
        The stage's manifest entry, the run and the variant; `metrics` is what tkit_edge reports. The same is in
        `bench/bench.txt`, as a table.

    Raises:
        InputError: no whole export, or other data than the run was made with.
        BoundError: a figure past `bench.budget`; what was measured is kept all the same.
    """
    began = time.perf_counter()
    run = run_of(run, data)
    variant = variant or run.variant
    if data is not None and not run.counts(f"{variant}/export"):
        export(run, variant=variant)
    folder = run.whole("export", variant)
    recipe = with_overrides(run.recipe, overrides)
    report, table = folder / "bench" / "bench.json", folder / "bench" / "bench.txt"
    report.parent.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="tkit-bench-") as scratch:
        test = test_examples(run, recipe, Path(scratch))
        metrics = Local().bench(folder / "export", recipe.bench, test)
    files.write_json(report, metrics)
    files.write_bytes(table, f"{document_table(metrics)}\n".encode())
    run.finish(
        "bench",
        variant,
        inputs=sorted((folder / "export").glob("*.tflite")),
        outputs=[report, table],
        metrics=metrics,
        seconds=time.perf_counter() - began,
    )
    keep(recipe.bench, metrics["results"])
    return BenchResult(run.summary("bench", variant))
