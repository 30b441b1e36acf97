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
from tkit.training.config import Fit
from tkit_pipelines.config import Config, OneOf
from tkit_pipelines.data.images import Images


class Recipe(Config):
    """Data, model and the settings of each stage."""

    kind: Literal["recipe"] = "recipe"
    version: Literal[1] = 1
    """Version of this format."""
    name: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]*$")
    """Names the run folder: runs/<name>-<n>."""
    seed: int = Field(0, ge=0, lt=2**31)
    """Seed of the split, the initial weights, dropout and augmentation."""
    data: Images
    """Where the images come from, their size, batches and augmentation."""
    model: Annotated[Model, OneOf("tkit.models")]
    """`cnn`, `resnet`, `mobilenet`, `backbone`, or a kind from the recipe's own file, with its fields."""
    fit: Fit = Fit()
    """Training."""
    compress: tuple[Annotated[Step, OneOf("tkit.compression.steps")], ...] = ()
    """Compression steps, in their order: `prune`, `cluster`, `quantize` ..., with their fields."""
    export: Export = Export()
    """The .tflite files."""
    bench: Bench = Bench()
    """Measurement."""
