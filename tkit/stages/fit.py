"""The fit stage: a recipe to a trained model in a new run folder."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tkit.recipe import Recipe
from tkit.recipe_loading import Loaded
from tkit.run_folder import Run
from tkit.stages._common import as_loaded, as_run, dry, refuse_unused, stage
from tkit_edge.errors import InputError

if TYPE_CHECKING:
    import keras


@stage()
def fit(
    recipe: Recipe | Loaded | str | Path | None = None,
    *,
    data: Any = None,
    class_names: Sequence[str] | None = None,
    resume: Run | str | Path | None = None,
    overrides: Sequence[str] = (),
    runs_dir: str | Path | None = None,
    dry_run: bool = False,
    callbacks: tuple[keras.callbacks.Callback, ...] = (),
) -> Run:
    """Trains a recipe's model, or goes on with a run whose training was interrupted.

    What comes out of a resumed run is the run that was not interrupted: the same weights, history and files, on the
    same kind of machine with the same versions. A finished run is returned as it is.

    Args:
        recipe: a recipe, a loaded one, or a name or path for `tkit.load_recipe`.
        data: in place of the recipe's `data.source`: another source, or examples in memory as `tkit.adopt` takes them:
            arrays `(x, y)` of images or lists of texts, `(train, test)` or `(train, validation, test)` of such pairs, a
            `tf.data.Dataset`, a `keras.utils.PyDataset`, a pandas DataFrame, a TFDS builder. They are recorded in
            <runs>/objects.
        class_names: of labels in memory: what 0, 1 ... are called.
        resume: a run or its folder, in place of a recipe; training goes on from its newest checkpoint.
        overrides: changes to the recipe, such as "fit.epochs=5"; to a resumed run's only those that its training
            doesn't depend on: `export.`, `bench.`, `fit.checkpoint.`, and `data.source` where the images are the same.
        runs_dir: where run folders live; $TKIT_RUNS or ./runs by default.
        dry_run: two steps, on the recipe's own data where that needs no download.
        callbacks: Keras callbacks of your own, after tkit's.

    Returns:
        The run, its `float` variant trained.

    Raises:
        InputError: the recipe or its data cannot be used; or recipe, images, precision or threads of a resumed run
            are others than before.
        DivergedError: the loss stopped being finite.
        StoppedError: SIGINT or SIGTERM; a checkpoint was written, `resume` goes on from it.
    """
    if (recipe is None) == (resume is None):
        raise InputError("Expected a recipe, or a run to resume: one of the two.")
    from tkit.stages import _fit

    if resume is not None:
        if data is not None or class_names is not None:
            raise InputError("A resumed run has its data: leave data and class_names out.")
        refuse_unused("A resumed run", runs_dir=runs_dir, dry_run=dry_run)
        return _fit.resume(as_run(resume), overrides, callbacks)
    assert recipe is not None
    loaded, note = as_loaded(recipe, overrides), None
    if data is not None:
        from tkit.in_memory.recipe_data import with_data

        given, note = with_data(loaded.recipe.data, data, class_names, runs_dir)
        loaded = loaded._replace(recipe=loaded.recipe.model_copy(update={"data": given}))
    if dry_run:
        loaded = loaded._replace(recipe=dry(loaded.recipe))
    return _fit.start(loaded, runs_dir, dry_run, callbacks, note)
