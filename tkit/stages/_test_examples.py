"""The test split as a device reads it."""

from __future__ import annotations

from pathlib import Path

from tkit.recipe import Recipe
from tkit.run_folder import Run
from tkit.stages._common import data_of
from tkit_edge.files import npz_bytes
from tkit_edge.judge import array_name

DRY_RUN_TEST_EXAMPLES = 16


def test_examples(run: Run, recipe: Recipe, folder: Path) -> Path | None:
    """An .npz file in `folder` for `tkit-edge bench --test`; None where nothing is right or wrong.

    Raises:
        InputError: other data than the run was made with.
    """
    test, output = data_of(run, recipe).test, run.output
    if output.measure is None:
        return None
    limit = DRY_RUN_TEST_EXAMPLES if run.dry_run else None
    path, specs = folder / "test.npz", (*run.input.tensors, *output.targets)
    path.write_bytes(npz_bytes({array_name(spec.name): test.columns[spec.name][:limit] for spec in specs}))
    return path
