"""What the stages share: a recipe from whatever a caller has, its data once a process, a random seed for everything."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path

from tkit import _quiet, console, files
from tkit.compression.step import Step
from tkit.recipe import Recipe
from tkit.recipe_loading import Loaded, load, with_overrides
from tkit.run_folder import Run
from tkit_edge.errors import InputError
from tkit_edge.inputs import Input
from tkit_edge.inputs.noise import Noise
from tkit_edge.outputs.classes import Classes
from tkit_pipelines import notebook
from tkit_pipelines.data import Data
from tkit_pipelines.dataset import digest
from tkit_pipelines.resolve import stamp
from tkit_pipelines.splits import Splits

DRY_RUN_STEPS = 2


@contextmanager
def stage() -> Iterator[None]:
    """The decorator of every stage: TensorFlow's chatter stays away, a full disk is one clear message, and a notebook
    shows one line of progress."""
    with _quiet.silenced(), files.writing(), notebook.one_line():
        yield


def as_loaded(recipe: Recipe | Loaded | str | Path, overrides: Sequence[str] = ()) -> Loaded:
    """A recipe with its origin, from an object, a name or a path, and the overrides applied."""
    if isinstance(recipe, Recipe):
        recipe = Loaded(recipe, None)
    if isinstance(recipe, Loaded):
        return recipe._replace(recipe=with_overrides(recipe.recipe, overrides))
    return load(recipe, overrides)


def as_run(run: Run | str | Path, runs_dir: str | Path | None = None) -> Run:
    """A run, from an object, a path, or a name in the runs folder."""
    return run if isinstance(run, Run) else Run.open(run, runs_dir)


def load_data(data: Data, seed: int, known: Input | None = None) -> Splits:
    """The splits, for a model that takes `known` or is yet to be made.

    The stages of one process share them while no file changes.
    """
    return _loaded(data, seed, known, stamp(data.source))


@lru_cache(maxsize=1)
def _loaded(data: Data, seed: int, known: Input | None, stamp: str | None) -> Splits:
    return data.load(seed, known)


def identity(data: Data, splits: Splits) -> dict[str, str]:
    """Where data was read and what it was, for the manifest: every later stage compares it."""
    return {"source": data.source, "sha256": digest(splits.train, splits.validation, splits.test)}


def data_of(run: Run, recipe: Recipe | None = None) -> Splits:
    """A run's data, found to be what its model was made with.

    Args:
        run: the run.
        recipe: the run's recipe with a stage's overrides; `data.source` may name where the data is now.

    Raises:
        InputError: other classes, with both lists, or other images; or the data can't be read.
    """
    recipe = recipe or run.recipe
    splits = recipe.task.prepared(load_data(recipe.data, recipe.seed, run.input), recipe.seed)
    source, output, input = recipe.data.source, run.output, run.input
    wanted = output.names if isinstance(output, Classes) else input.classes if isinstance(input, Noise) else ()
    if splits.class_names != wanted:
        raise InputError(
            f"The classes of data {source!r} are not those that {run.folder} was made with: expected "
            f"{named(wanted)}, received {named(splits.class_names)}. Labels would be wrong. Bring the class names "
            "back, or make a new run of this data."
        )
    if run.data and identity(recipe.data, splits)["sha256"] != run.data["sha256"]:
        raise InputError(
            f"The {run.input.example}s of data {source!r} are not those that {run.folder} was made with (read then "
            f"from {run.data['source']!r}; other digest). If the data has moved, say where it is now: "
            "data.source=PATH. If it has changed, make a new run of it."
        )
    return splits


def named(names: Sequence[str]) -> str:
    """Names of classes for a message: how many, and the first of them."""
    return f"{len(names)} ({', '.join(names[:8])}{' ...' if len(names) > 8 else ''})"


def refuse_unused(subject: str, **arguments: object) -> None:
    """Raises InputError where any of the arguments, which have no meaning for `subject`, is given."""
    given = [name for name, value in arguments.items() if value not in (None, False, ())]
    if given:
        raise InputError(f"{subject} has no use for {', '.join(given)}.")


def dry_steps(steps: tuple[Step, ...]) -> tuple[Step, ...]:
    """Compression steps of one epoch."""
    return tuple(
        step.model_copy(update={"epochs": 1}) if "epochs" in type(step).model_fields else step for step in steps
    )


def dry(recipe: Recipe) -> Recipe:
    """The recipe two steps long, with bounds that an untrained model keeps.

    Its data is read as it is; what would have to be downloaded gives way to data that needs no download, which is
    reported.
    """
    data = recipe.data
    if data.stand_in is not None and data.source.startswith("tfds:"):
        source, what = data.stand_in
        console.say(f"dry run: {data.source} is not read; {what} instead")
        data = data.model_copy(update={"source": source})
    fit = recipe.fit.model_copy(update={"epochs": 1, "steps_per_execution": 1})
    loose = {"agreement": 0.0, "drop": 1.0, "difference": 1e9, "mean_difference": 1e9, "psnr": 0.0, "distance": 1e9}
    parity = recipe.export.parity.model_copy(update={"samples": DRY_RUN_STEPS, **loose})
    export = recipe.export.model_copy(update={"calibration_samples": DRY_RUN_STEPS, "parity": parity})
    bench = recipe.bench.model_copy(update={"seconds": 0.05})
    changes = {"name": f"dry-{recipe.name}", "data": data, "fit": fit, "export": export, "bench": bench}
    return recipe.model_copy(update=changes)
