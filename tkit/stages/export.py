"""The export stage: a trained variant to .tflite files that passed the parity gate, in a bundle."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tkit.conversion import process
from tkit.recipe_loading import with_overrides
from tkit.results.export import ExportResult
from tkit.run_folder import Run
from tkit.stages._common import stage
from tkit.stages._models import run_of

if TYPE_CHECKING:
    import keras


@stage()
def export(
    run: Run | keras.Model | str | Path,
    *,
    data: Any = None,
    variant: str | None = None,
    skip_failed: bool = False,
    overrides: Sequence[str] = (),
) -> ExportResult:
    """Exports a variant's model in the recipe's formats and checks each file against the Keras model.

    Args:
        run: a run or its folder; or, with `data`, a model as `tkit.adopt` takes it.
        data: of that model, in memory or by name; see `tkit.adopt`.
        variant: `float` or one that compression made; the newest by default.
        skip_failed: leave out the formats that fail; of `export.formats=auto`, those that the model can't be had in are
            always left out.
        overrides: changes to the recipe's `export` for this time, such as "export.io=uint8".

    Returns:
        The stage's manifest entry, the run and the variant; `metrics` has one entry a format, `left_out` the reason of
        each that is missing.

    Raises:
        InputError: the model can't be had in a format that was asked for, or in any; the layer is named.
        BoundError: a file past the recipe's parity bounds, or a model far below its recorded accuracy, with the
            figures. Nothing is exported, and an earlier export of the variant is taken away.
    """
    run = run_of(run, data)
    recipe = with_overrides(run.recipe, overrides)
    process.start()
    from tkit.stages import _export

    return _export.exported(run, recipe, variant or run.variant, skip_failed)
