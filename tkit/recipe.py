"""A recipe: everything that determines a run, as one frozen, validated object.

A recipe is a Python file whose `recipe()` returns a `Recipe`; `tkit/recipes/` contains tkit's own,
`tkit.recipe_loading` finds them.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from tkit.bench_config import Bench
from tkit.compression.step import Step
from tkit.conversion.config import Export
from tkit.models import Model
from tkit.tasks import Task
from tkit.tasks.classification import Classification
from tkit.training.config import Fit
from tkit_edge.errors import InputError
from tkit_pipelines.config import Config, OneOf, component_class, kinds
from tkit_pipelines.data import TARGETS, Data


class Recipe(Config):
    """Task, data, model and the settings of each stage."""

    kind: Literal["recipe"] = "recipe"
    version: Literal[2] = 2
    """Version of this format."""
    name: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]*$")
    """Names the run folder: runs/<name>-<n>."""
    seed: int = Field(0, ge=0, lt=2**31)
    """Seed of the split, the initial weights, dropout and augmentation."""
    task: Annotated[Task, OneOf("tkit.tasks")] = Classification()
    """What is learned: `classification`, `regression` or `generation`, with their fields; `inference` takes a model as
    it is."""
    data: Annotated[Data, OneOf("tkit_pipelines.data")]
    """`images`, `texts` or `arrays`, with their fields: where the examples come from, batches and augmentation."""
    model: Annotated[Model, OneOf("tkit.models")]
    """`cnn`, `resnet`, `mobilenet`, `backbone`, for texts `transformer`, `fasttext`, `text_cnn`, `recurrent`, for
    generation `dcgan`, or a kind from the recipe's own file, with their fields."""
    fit: Fit = Fit()
    """Training."""
    compress: tuple[Annotated[Step, OneOf("tkit.compression.steps")], ...] = ()
    """Compression steps, in their order: `prune`, `cluster`, `quantize` ..., with their fields."""
    export: Export = Export()
    """The .tflite files."""
    bench: Bench = Bench()
    """Measurement."""


def check(recipe: Recipe) -> None:
    """Raises InputError where a recipe's task, data and model don't fit, with what would."""
    task, data, model = recipe.task, recipe.data, recipe.model
    if task.learns_from not in (None, data.takes):
        raise InputError(f"task={task.kind} learns from {task.learns_from}s, and data={data.kind} has {data.takes}s.")
    if data.target not in task.targets:
        wanted = " or ".join(labels for labels, column in TARGETS.items() if column in task.targets)
        tasks = {kind: component_class("tkit.tasks", kind) for kind in kinds("tkit.tasks")}
        fitting = [kind for kind, found in tasks.items() if issubclass(found, Task) and data.target in found.targets]
        raise InputError(
            f"task={task.kind} needs data.labels={wanted}, received data.labels={data.labels}, which fits "
            f"task={' or '.join(fitting)}. Change one of the two."
        )
    taken = task.takes or data.takes
    for what, kind, able in (("takes", taken, model.takes), ("gives", task.gives, model.gives)):
        if kind not in able:
            fitting = [
                name for name in kinds("tkit.models") if kind in getattr(component_class("tkit.models", name), what)
            ]
            other = f"task={task.kind}" if what == "gives" or task.takes else f"data={data.kind}"
            raise InputError(
                f"model={model.kind} {what} {' or '.join(able)}, and {other} means {kind}. Models that fit: "
                f"{', '.join(fitting) or 'none of tkit'}, or a kind of your own."
            )
    if recipe.fit.early_stopping and not task.validated:
        raise InputError(
            f"fit.early_stopping={recipe.fit.early_stopping} waits for a better validation loss, which "
            f"task={task.kind} doesn't have: training ends with the last epoch's weights. Set fit.epochs instead."
        )
    task.check(data)
