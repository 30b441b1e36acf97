"""All stages of a recipe, one after the other."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tkit import console
from tkit.recipe import Recipe
from tkit.recipe_loading import Loaded
from tkit.run_folder import Run
from tkit.stages._common import stage
from tkit.stages.bench import bench
from tkit.stages.compress import compress
from tkit.stages.export import export
from tkit.stages.fit import fit
from tkit_edge.errors import StoppedError


@stage()
def run(
    recipe: Recipe | Loaded | str | Path | None = None,
    *,
    data: Any = None,
    class_names: Sequence[str] | None = None,
    resume: Run | str | Path | None = None,
    overrides: Sequence[str] = (),
    runs_dir: str | Path | None = None,
    dry_run: bool = False,
) -> Run:
    """Fits, compresses, exports and benches a recipe, or goes on with a run at the stage that was cut.

    The arguments are `fit`'s.

    Example:
        >>> done = tkit.run("digits_cnn")
        >>> done.entry("bench")["metrics"]
    """
    try:
        made = fit(
            recipe,
            data=data,
            class_names=class_names,
            resume=resume,
            overrides=overrides,
            runs_dir=runs_dir,
            dry_run=dry_run,
        )
    except StoppedError as stopped:
        message = str(stopped).replace("tkit fit --resume", "tkit run --resume")
        raise StoppedError(message, stopped.exit_code - 128) from None
    try:
        variants = ["float"]
        if made.recipe.compress:
            variants.append(compress(made)["variant"])
        for variant in variants:
            for stage in (export, bench):
                if not made.counts(f"{variant}/{stage.__name__}"):
                    stage(made, variant=variant)
    except StoppedError as stopped:
        message = str(stopped).replace(f"tkit compress {made.folder}", f"tkit run --resume {made.folder}")
        raise StoppedError(message, stopped.exit_code - 128) from None
    except (KeyboardInterrupt, SystemExit):
        console.say(f"Go on with: tkit run --resume {made.folder}")
        raise
    return made
