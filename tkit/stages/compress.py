"""The compress stage: a trained variant through compression steps to a new variant, with what each bought."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from tkit.compression.step import Step
from tkit.recipe import Recipe
from tkit.recipe_loading import describe
from tkit.results.compress import CompressResult
from tkit.run_folder import Run
from tkit.stages._common import dry_steps, stage
from tkit.stages._models import run_of
from tkit_edge.errors import InputError

if TYPE_CHECKING:
    import keras


@stage()
def compress(
    run: Run | keras.Model | str | Path,
    steps: Sequence[Step | str] | None = None,
    *,
    data: Any = None,
    variant: str = "float",
    device: str | None = None,
) -> CompressResult:
    """Compresses a variant's model by one step after the other; each keeps what those before it have made.

    An interrupted compression goes on where it was when it is asked for again.

    Args:
        run: a run or its folder; or, with `data`, a model as `tkit.adopt` takes it.
        data: of that model, in memory or by name; see `tkit.adopt`.
        steps: such as `Prune(sparsity=0.5)` or "cluster:clusters=16"; the recipe's `compress` by default.
        variant: the model that is compressed.
        device: where the int8 files are measured or compiled too, such as "ethos-u" or "ssh://pi@raspberrypi.local":
            the ledger has its figures.

    Returns:
        The stage's manifest entry and the name of the new variant ("prune-0.5+int8-qat"); `metrics` has the ledger.

    Raises:
        InputError: no steps, a model or settings that a step can't work with, or a device that can't run the model.
        StoppedError: SIGINT or SIGTERM; a checkpoint was written.

    Example:
        >>> tkit.compress(run, ["prune:sparsity=0.5", "quantize:aware=true"])["metrics"]["ledger"][-1]["drop"]
    """
    run = run_of(run, data)
    chosen = parse(steps, run.recipe)
    chosen = dry_steps(chosen) if run.dry_run else chosen
    options = "" if device is None else f" --device {device}"
    words = "".join(f" {step}" for step in steps or () if isinstance(step, str))
    from tkit.stages import _compress

    return _compress.compressed(run, chosen, variant, f"tkit compress {run.folder}{options}{words}", device)


def parse(steps: Sequence[Step | str] | None, recipe: Recipe) -> tuple[Step, ...]:
    """The steps; those of the recipe where none are given.

    Raises:
        InputError: none, an unknown one, or a setting that isn't one.
    """
    if steps is not None:
        fields = {field: getattr(recipe, field) for field in Recipe.model_fields}
        try:
            recipe = Recipe.model_validate({**fields, "compress": list(steps)})
        except ValidationError as error:
            raise InputError(f"Cannot compress so: {describe(error)}") from error
    if not recipe.compress:
        raise InputError(
            "No compression steps: expected some, such as prune:sparsity=0.5 quantize:aware=true, or a recipe with "
            "compress=(...)."
        )
    return recipe.compress
