"""All stages of a recipe, one after the other."""

from __future__ import annotations

from pathlib import Path

from tkit.recipe import Loaded, Recipe
from tkit.run import Run
from tkit.stages.bench import bench
from tkit.stages.export import export
from tkit.stages.fit import fit


def run(recipe: Recipe | Loaded | str | Path, *, runs_dir: str | Path | None = None, dry_run: bool = False) -> Run:
    """Fits, exports and benches a recipe; the arguments are `fit`'s.

    Example:
        >>> done = tkit.run("digits_cnn")
        >>> done.entry("bench")["metrics"]
    """
    made = fit(recipe, runs_dir=runs_dir, dry_run=dry_run)
    export(made)
    bench(made)
    return made
