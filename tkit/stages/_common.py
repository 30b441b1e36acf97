"""What the stages share: a recipe from whatever a caller has, its data once a process, a random seed for everything."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

from tkit.compress import Step
from tkit.recipe import Loaded, Recipe, load
from tkit.run import Run
from tkit_pipelines.dataset import Splits
from tkit_pipelines.images import Images

DRY_RUN_STEPS = 2


def as_loaded(recipe: Recipe | Loaded | str | Path) -> Loaded:
    """A recipe with its origin, from an object, a name or a path."""
    if isinstance(recipe, Loaded):
        return recipe
    if isinstance(recipe, Recipe):
        return Loaded(recipe, None)
    return load(recipe)


def as_run(run: Run | str | Path) -> Run:
    """A run, from an object or a path."""
    return run if isinstance(run, Run) else Run.open(run)


@lru_cache(maxsize=1)
def load_data(data: Images, seed: int) -> Splits:
    """The splits; the stages of one process share them."""
    return data.load(seed)


def dry_steps(steps: tuple[Step, ...]) -> tuple[Step, ...]:
    """Compression steps of one epoch."""
    return tuple(
        step.model_copy(update={"epochs": 1}) if "epochs" in type(step).model_fields else step for step in steps
    )


def dry(recipe: Recipe) -> Recipe:
    """The recipe on synthetic pictures of its true shapes, two steps long, with bounds an untrained model keeps."""
    data = recipe.data.model_copy(update={"source": "synthetic"})
    fit = recipe.fit.model_copy(update={"epochs": 1, "steps_per_execution": 1})
    parity = recipe.export.parity.model_copy(update={"samples": DRY_RUN_STEPS, "agreement": 0.0, "drop": 1.0})
    export = recipe.export.model_copy(update={"calibration_samples": DRY_RUN_STEPS, "parity": parity})
    bench = recipe.bench.model_copy(update={"seconds": 0.05})
    changes = {"name": f"dry-{recipe.name}", "data": data, "fit": fit, "export": export, "bench": bench}
    return recipe.model_copy(update=changes)


def is_dry(recipe: Recipe) -> bool:
    """Whether `dry` made this recipe."""
    return recipe.name.startswith("dry-")
