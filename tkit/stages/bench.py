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
from tkit.stages._common import data_of, stage
from tkit.stages._models import run_of
from tkit.stages.bench_file import keep, measure
from tkit.stages.export import export
from tkit_edge.files import npz_bytes
from tkit_edge.judge import array_name
from tkit_edge.table import document_table

if TYPE_CHECKING:
    import keras

DRY_RUN_TEST_EXAMPLES = 16


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
    test, output = data_of(run, recipe).test, run.output
    limit = DRY_RUN_TEST_EXAMPLES if run.dry_run else None
    report, table = folder / "bench" / "bench.json", folder / "bench" / "bench.txt"
    report.parent.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="tkit-bench-") as scratch:
        arguments: list[str] = []
        if output.measure is not None:
            path, specs = Path(scratch) / "test.npz", (*run.input.tensors, *output.targets)
            path.write_bytes(npz_bytes({array_name(spec.name): test.columns[spec.name][:limit] for spec in specs}))
            arguments = ["--test", str(path)]
        metrics = measure(folder / "export", recipe.bench, *arguments)
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
