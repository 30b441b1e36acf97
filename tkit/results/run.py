"""What is shown of a run: what it was made of, and its variants with their files."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tkit.results import variants
from tkit.results.comparison import Comparison
from tkit.results.display import Display
from tkit_edge.text import counted

if TYPE_CHECKING:
    from tkit.recipe import Recipe


def comparison(folder: Path, stages: Mapping[str, Any], made: list[str]) -> Comparison:
    """The files of a run's variants side by side."""
    return Comparison(rows=[row for variant in made for row in variants.rows(folder, stages, variant)])


def display(folder: Path, recipe: Recipe, stages: Mapping[str, Any], made: list[str]) -> Display:
    """The run's folder, recipe and training, over its variants' files."""
    if not made:
        return Display(f"{folder}: {recipe.name}, not trained yet", (), ())
    return replace(comparison(folder, stages, made).display(), title=f"{folder}: {_model(recipe, stages)}")


def _model(recipe: Recipe, stages: Mapping[str, Any]) -> str:
    entry = stages.get("float/fit") or stages["float/adopt"]
    parts = [recipe.name, recipe.model.kind, f"{entry['parameters']:,} parameters"]
    epochs = entry["metrics"].get("epochs")
    return ", ".join([*parts, *([] if epochs is None else [f"trained for {counted(epochs, 'epoch')}"])])
