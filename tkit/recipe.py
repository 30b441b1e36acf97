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
    """What is learned: `classification` or `regression`, with their fields; `inference` takes a model as it is."""
    data: Annotated[Data, OneOf("tkit_pipelines.data")]
    """`images`, `texts` or `arrays`, with their fields: where the examples come from, batches and augmentation."""
    model: Annotated[Model, OneOf("tkit.models")]
    """`cnn`, `resnet`, `mobilenet`, `backbone`, for texts `transformer`, `fasttext`, `text_cnn`, `recurrent`, or a kind
    from the recipe's own file, with their fields."""
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
    if task.target != data.target:
        wanted = next(labels for labels, column in TARGETS.items() if column == task.target)
        tasks = {kind: component_class("tkit.tasks", kind) for kind in kinds("tkit.tasks")}
        fitting = [kind for kind, found in tasks.items() if issubclass(found, Task) and found.target == data.target]
        raise InputError(
            f"task={task.kind} needs data.labels={wanted}, received data.labels={data.labels}, which fits "
            f"task={' or '.join(fitting)}. Change one of the two."
        )
    for what, kind, able in (("takes", data.takes, model.takes), ("gives", task.gives, model.gives)):
        if kind not in able:
            fitting = [
                name for name in kinds("tkit.models") if kind in getattr(component_class("tkit.models", name), what)
            ]
            other = f"data={data.kind}" if what == "takes" else f"task={task.kind}"
            raise InputError(
                f"model={model.kind} {what} {' or '.join(able)}, and {other} means {kind}. Models that fit: "
                f"{', '.join(fitting) or 'none of tkit'}, or a kind of your own."
            )
