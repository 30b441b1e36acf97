"""Training for the fit stage: data, model, the engine, and the run's manifest entry."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from tkit import console, model_files
from tkit.compression.batch_statistics import estimate
from tkit.compression.workbench import ESTIMATED
from tkit.contract import Contract
from tkit.conversion.calibration import stratified
from tkit.evaluation.judge import FOLDER as JUDGE
from tkit.models import Model, Spec, Statistics
from tkit.models._own import plain
from tkit.recipe import Recipe
from tkit.recipe_loading import Loaded, with_late_overrides
from tkit.run_folder import Run
from tkit.stages import _companion, _judge
from tkit.stages import _setup as setup
from tkit.stages._common import DRY_RUN_STEPS, identity, load_data
from tkit.training.checkpoint import CHECKPOINTS, Checkpoint, Checkpoints
from tkit.training.engine import train
from tkit.training.history import HistoryFile
from tkit.training.precision import choose
from tkit.training.progress import TrainingProgress
from tkit.training.samples import Samples
from tkit.training.saving import Saving
from tkit.training.start import StartClock
from tkit.training.tensorboard import TensorBoardLog
from tkit.training.vectors import begin_with
from tkit_edge.errors import InputError
from tkit_edge.text import counted
from tkit_pipelines.batches import Batches, in_order
from tkit_pipelines.config import kinds
from tkit_pipelines.dataset import Examples
from tkit_pipelines.splits import Splits

# bincount makes an int64 copy of what it counts, and the images may lie on disk.
_COUNTED_AT_ONCE = 4096


def start(
    loaded: Loaded,
    runs_dir: str | Path | None,
    dry_run: bool,
    own: tuple[keras.callbacks.Callback, ...],
    note: str | None = None,
) -> Run:
    """Trains a recipe's model in a new run; `note` says what of its data couldn't be recorded."""
    began, clock = time.perf_counter(), StartClock()
    splits = _data(loaded.recipe, clock, quiet=dry_run)
    contract = Contract.of(loaded.recipe.task, splits)
    model = build(loaded.recipe.model, splits, contract)
    batches = _batches(model, splits, contract, loaded.recipe)
    clock.mark("model")
    run = Run.create(loaded, runs_dir, dry_run=dry_run, note=note)
    with run.lock():
        return _train(run, run.recipe, model, splits, contract, batches, clock, began, own=own)


def resume(run: Run, overrides: Sequence[str], own: tuple[keras.callbacks.Callback, ...]) -> Run:
    """Goes on with a run's training from its newest checkpoint."""
    began, clock = time.perf_counter(), StartClock()
    with run.lock():
        if "float/fit" in run.manifest["stages"]:
            console.say(f"{run.folder}: training is finished.")
            return run
        recipe = with_late_overrides(run.recipe, overrides)
        start = Checkpoints(run.folder / CHECKPOINTS, recipe.fit.checkpoint.keep).newest()
        splits = _data(recipe, clock, quiet=False, threads=start and start.facts["setup"]["threads"])
        contract = Contract.of(recipe.task, splits)
        model = build(recipe.model, splits, contract)
        batches = _batches(model, splits, contract, recipe)
        clock.mark("model")
        return _train(run, recipe, model, splits, contract, batches, clock, began, start=start, own=own)


def _batches(model: keras.Model, splits: Splits, contract: Contract, recipe: Recipe) -> Batches:
    """The training batches, of one shape for a model that takes no other."""
    takes_any = any(None in tensor.shape[1:] for tensor in model.inputs)
    return Batches(splits.train, recipe.data if takes_any else recipe.data.fixed(), contract.encoded, recipe.seed)


def _data(recipe: Recipe, clock: StartClock, quiet: bool, threads: int | None = None) -> Splits:
    """The splits, and the seeds of everything else."""
    setup.use_threads(threads or recipe.fit.threads)
    keras.utils.set_random_seed(recipe.seed)
    tf.config.experimental.enable_op_determinism()
    splits = recipe.task.prepared(load_data(recipe.data, recipe.seed), recipe.seed)
    for remark in [] if quiet else splits.remarks():
        console.say(f"data: {remark}")
    clock.mark("data")
    return splits


def _train(
    run: Run,
    settings: Recipe,
    model: keras.Model,
    splits: Splits,
    contract: Contract,
    batches: Batches,
    clock: StartClock,
    began: float,
    *,
    start: Checkpoint | None = None,
    own: tuple[keras.callbacks.Callback, ...],
) -> Run:
    precision = choose(settings.fit.precision, model)
    here = setup.of(settings, splits, precision.policy)
    _report(run, settings, model, splits, contract, batches)
    console.progress(f"precision: {precision.policy} ({precision.reason}); {counted(here['threads'], 'thread')}")
    done = _done(start, here, settings)
    run.keep_recipe(settings)
    vectors = _begin(settings, model, contract)
    companion = _companion.made(settings.model, contract.input, contract.output)
    contract, samples = _measured(run, settings, splits, contract)
    progress = TrainingProgress(len(splits.validation), contract.output.measure, splits.input.example)
    log = TensorBoardLog(run.folder / "logs", batches, splits.validation, contract)
    held_out = in_order(splits.validation, settings.data, contract.encoded) if contract.task.validated else None
    try:
        outcome = train(
            model,
            batches,
            held_out,
            settings.fit,
            contract,
            callbacks=(clock, HistoryFile(run.folder / "history.csv", done), log, progress, *own),
            max_steps=DRY_RUN_STEPS if run.dry_run else None,
            saving=_saving(run, settings, {"setup": here}, start),
            companion=companion,
            look=samples,
        )
    finally:
        progress.stop()
    if samples is not None:
        _looked(samples, model, splits, contract)
    folder, kept = run.folder / "float", outcome.history[outcome.kept_epoch]
    run.finish(
        "fit",
        "float",
        outputs=[*model_files.save(model, folder), *contract.attach(folder), *_companion.save(companion, folder)],
        inputs=[run.folder / "recipe.json"],
        metrics={**kept, "epochs": len(outcome.history), "kept_epoch": outcome.kept_epoch + 1},
        seconds=time.perf_counter() - began,
        start=clock.facts(),
        threads=here["threads"],
        precision=outcome.precision._asdict(),
        devices=outcome.replicas,
        **contract.as_json(),
        data=identity(settings.data, splits),
        parameters=model.count_params(),
        **vectors,
    )
    return run


def _done(start: Checkpoint | None, here: dict[str, Any], settings: Recipe) -> list[dict[str, float]]:
    """The rows of the epochs before a checkpoint's; raises InputError where it is of another run."""
    if start is None:
        return []
    setup.compare(start.facts["setup"], here, settings)
    console.say(f"going on after {start.done()}")
    history: list[dict[str, float]] = start.facts["history"]
    return history


def _measured(run: Run, settings: Recipe, splits: Splits, contract: Contract) -> tuple[Contract, Samples | None]:
    """The contract with what measures a generator's images, and what is looked at while it trains; None for others.

    The classifier that measures is trained first; the random state is then again the recipe's.
    """
    if not contract.task.judged:
        return contract, None
    _judge.made(run.folder / JUDGE, settings.data, splits, settings.seed, run.dry_run)
    keras.utils.set_random_seed(settings.seed)
    contract = contract._replace(ruler=contract.task.ruler(run.folder, splits))
    return contract, Samples(run.folder, contract, splits.validation.images, settings.seed)


def _looked(samples: Samples, model: keras.Model, splits: Splits, contract: Contract) -> None:
    """Makes the film, and estimates batch normalization's statistics anew: averages of weights have others."""
    samples.film()
    if any(isinstance(layer, keras.layers.BatchNormalization) for layer in model.layers):
        examples = stratified(splits.train, ESTIMATED, 0, contract.input.tensors)
        estimate(model, examples, seed=0)


def _begin(settings: Recipe, model: keras.Model, contract: Contract) -> dict[str, Any]:
    """Sets the word vectors that the model begins with, if any; a checkpoint takes their place. For the manifest."""
    if settings.fit.vectors is None:
        return {}
    found = begin_with(model, settings.fit.vectors, contract.input)
    console.say(f"vectors: {found.words:,} of the {found.vocabulary:,} words begin with those of {found.path}")
    return {"vectors": found._asdict()}


def _saving(run: Run, settings: Recipe, facts: dict[str, Any], start: Checkpoint | None) -> Saving:
    keep = settings.fit.checkpoint
    return Saving(
        Checkpoints(run.folder / CHECKPOINTS, keep.keep),
        steps=keep.steps,
        minutes=keep.minutes,
        facts=facts,
        start=start,
        go_on=f"tkit fit --resume {run.folder}",
    )


def _report(
    run: Run, settings: Recipe, model: keras.Model, splits: Splits, contract: Contract, batches: Batches
) -> None:
    """Says what is trained, and on what."""
    what = splits.input.example
    console.say(
        f"{run.folder}: {model.name}, {counted(model.count_params(), 'parameter')}; {len(splits.train):,} training, "
        f"{len(splits.validation):,} validation and {counted(len(splits.test), f'test {what}')}, "
        f"{contract.output.line()}"
    )
    if batches.batch_size < settings.data.batch_size:
        console.say(
            f"data: batches of {batches.batch_size}, not {settings.data.batch_size}: there are no more training {what}s"
        )


def build(model: Model, splits: Splits, contract: Contract) -> keras.Model:
    """A recipe's model for this data; a user's own kind is checked and rebuilt from stock layers."""
    sizes = contract.input.sizes
    spec = Spec(contract.input.tensors, contract.output.tensors, _statistics(splits.train, contract), sizes)
    try:
        made = model.build(spec)
    except TypeError as error:
        if "positional argument" not in str(error):
            raise
        raise InputError(
            f"{model.kind}.build() takes other arguments than it is given: expected build(self, spec), with spec.shape "
            "(height, width, channels) and spec.outputs; docs/models.md has an example."
        ) from error
    return made if model.kind in kinds("tkit.models") else plain(made, f"{model.kind}.build()", spec)


def _statistics(examples: Examples, contract: Contract) -> dict[str, Statistics]:
    """Of the images, and of the numbers that are to be predicted."""
    found = {}
    for spec in (*contract.input.tensors, *contract.output.targets):
        column = examples.columns[spec.name]
        if spec.dtype == "uint8":
            found[spec.name] = pixel_statistics(column)
        elif spec.dtype == "float32":
            values = np.asarray(column, np.float64)
            found[spec.name] = Statistics(float(values.mean()), float(values.var()))
    return found


def pixel_statistics(images: np.ndarray) -> Statistics:
    """Mean and variance of the values of uint8 images [n, height, width, channels], exact from their histogram."""
    values, counts = np.arange(256), np.zeros(256, np.int64)
    for start in range(0, len(images), _COUNTED_AT_ONCE):
        counts += np.bincount(images[start : start + _COUNTED_AT_ONCE].ravel(), minlength=256)
    share = counts / images.size
    mean = float(share @ values)
    # Images of one value would divide by 0.
    return Statistics(mean, max(float(share @ (values - mean) ** 2), 1.0))
