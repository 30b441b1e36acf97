"""The fit stage: a recipe to a trained model in a new run folder."""

from __future__ import annotations

import os
import time
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf

from tkit import console, files, model_files
from tkit.fit.engine import train
from tkit.fit.history import HistoryFile
from tkit.fit.precision import choose
from tkit.fit.progress import TrainingProgress
from tkit.fit.start import StartClock
from tkit.fit.tensorboard import TensorBoardLog
from tkit.models import Model, PixelStatistics
from tkit.models._own import plain
from tkit.recipe import Loaded, Recipe
from tkit.run import Run
from tkit.stages._common import DRY_RUN_STEPS, as_loaded, dry, load_data
from tkit_pipelines.batches import in_order
from tkit_pipelines.config import kinds
from tkit_pipelines.dataset import Splits

# bincount makes an int64 copy of what it counts, and the pictures may lie on disk.
_COUNTED_AT_ONCE = 4096


@files.writing()
def fit(
    recipe: Recipe | Loaded | str | Path,
    *,
    runs_dir: str | Path | None = None,
    dry_run: bool = False,
    callbacks: tuple[keras.callbacks.Callback, ...] = (),
) -> Run:
    """Trains a recipe's model.

    Args:
        recipe: a recipe, a loaded one, or a name or path for `tkit.load_recipe`.
        runs_dir: where run folders live; $TKIT_RUNS or ./runs by default.
        dry_run: two steps on synthetic pictures of the recipe's shapes.
        callbacks: Keras callbacks of your own, after tkit's.

    Returns:
        The run, its `float` variant trained.

    Raises:
        InputError: the recipe or its data cannot be used.
        DivergedError: the loss stopped being finite.
    """
    began, clock = time.perf_counter(), StartClock()
    loaded = as_loaded(recipe)
    if dry_run:
        loaded = loaded._replace(recipe=dry(loaded.recipe))
    settings = loaded.recipe
    keras.utils.set_random_seed(settings.seed)
    tf.config.experimental.enable_op_determinism()
    splits = load_data(settings.data, settings.seed)
    for remark in [] if dry_run else splits.remarks():
        console.say(f"data: {remark}")
    clock.mark("data")
    classes = len(splits.class_names)
    batches = settings.data.batches(splits.train, classes, settings.seed)
    model = build(settings.model, splits)
    clock.mark("model")
    run = Run.create(loaded, runs_dir)
    precision = choose(settings.fit.precision)
    console.say(
        f"{run.folder}: {model.name}, {model.count_params():,} parameters; {len(splits.train.labels):,} training, "
        f"{len(splits.validation.labels):,} validation and {len(splits.test.labels):,} test pictures, {classes} classes"
    )
    console.say(f"precision: {precision.policy} ({precision.reason}); {os.cpu_count()} threads")
    progress = TrainingProgress()
    log = TensorBoardLog(
        run.folder / "logs",
        batches,
        (splits.validation.images, splits.validation.labels),
        splits.class_names,
        settings.model_dump(mode="json"),
    )
    try:
        outcome = train(
            model,
            batches,
            in_order(splits.validation, classes, settings.data.batch_size),
            settings.fit,
            callbacks=(clock, HistoryFile(run.folder / "history.csv"), log, progress, *callbacks),
            max_steps=DRY_RUN_STEPS if dry_run else None,
        )
    finally:
        progress.stop()
    outputs = model_files.save(model, run.folder / "float")
    kept = outcome.history[outcome.kept_epoch]
    run.finish(
        "fit",
        "float",
        outputs=outputs,
        inputs=[run.folder / "recipe.json"],
        metrics={**kept, "epochs": len(outcome.history), "kept_epoch": outcome.kept_epoch + 1},
        seconds=time.perf_counter() - began,
        start=clock.facts(),
        precision=outcome.precision._asdict(),
        devices=outcome.replicas,
        class_names=list(splits.class_names),
        parameters=model.count_params(),
    )
    return run


def build(model: Model, splits: Splits) -> keras.Model:
    """A recipe's model for these pictures; a user's own kind is checked and laid out plainly."""
    shape, classes = splits.train.images.shape[1:], len(splits.class_names)
    made = model.build(shape, classes, pixel_statistics(splits.train.images))
    return made if model.kind in kinds("tkit.models") else plain(made, f"{model.kind}.build()", shape, classes)


def pixel_statistics(images: np.ndarray) -> PixelStatistics:
    """Mean and variance of the values of uint8 pictures [n, height, width, channels], exact from their histogram."""
    values, counts = np.arange(256), np.zeros(256, np.int64)
    for start in range(0, len(images), _COUNTED_AT_ONCE):
        counts += np.bincount(images[start : start + _COUNTED_AT_ONCE].ravel(), minlength=256)
    share = counts / images.size
    mean = float(share @ values)
    # Pictures of one value would divide by 0.
    return PixelStatistics(mean, max(float(share @ (values - mean) ** 2), 1.0))
