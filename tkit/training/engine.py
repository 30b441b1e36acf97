"""The training engine: a short loop around Keras's compiled train function.

Keras's `fit` can't begin in mid-epoch; this loop can, because the batch at (epoch, step) is a pure function.
Optimizers, losses, metrics and callbacks are Keras's own. What it trains is a clone of a functional model
(`tkit.training.twin`); a subclass with a `train_step` of its own is refused before.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import NamedTuple, TypeAlias

import keras
import tensorflow as tf

from tkit.contract import Contract
from tkit.keras_internals import averages
from tkit.training.compilation import compiled, unfreeze
from tkit.training.config import Fit
from tkit.training.divergence import raise_if_diverged, raise_if_not_finite
from tkit.training.precision import Precision, choose
from tkit.training.saving import Saving
from tkit.training.state import TrainingState
from tkit.training.trainee import Objective, Trainee
from tkit_pipelines.batches import Batches

Look: TypeAlias = Callable[[keras.Model, int], dict[str, float]]


class Outcome(NamedTuple):
    """What training gave: one row of figures an epoch, the epoch whose weights were kept, and how it ran."""

    history: list[dict[str, float]]
    kept_epoch: int
    precision: Precision
    replicas: int


def train(
    model: keras.Model,
    batches: Batches,
    validation: tf.data.Dataset | None,
    settings: Fit,
    contract: Contract,
    *,
    callbacks: Sequence[keras.callbacks.Callback] = (),
    max_steps: int | None = None,
    strategy: tf.distribute.Strategy | None = None,
    saving: Saving | None = None,
    objective: Objective | None = None,
    companion: keras.Model | None = None,
    look: Look | None = None,
) -> Outcome:
    """Trains a float32 functional model in place.

    Args:
        model: uncompiled.
        batches: training batches of (inputs, targets as the loss takes them), with or without float32 weights [batch].
        validation: finite data set of the same, validated on after each epoch; None where there is no loss for it.
        settings: the recipe's `fit`.
        contract: what the model learns.
        callbacks: Keras callbacks; they see the trainee as `self.model`.
        max_steps: ends each epoch after so many steps (dry runs).
        strategy: how several devices share each batch; all GPUs, where there are more than one, by default.
        saving: where checkpoints are written, how often, and the one to go on from; none by default.
        objective: the loss that is trained for, in place of the task's.
        companion: the network that the model is trained against, if any; it is trained in place too.
        look: called after each epoch with the model, its averaged weights set, and the epoch; gives figures of its own.

    Raises:
        InputError: `freeze_epochs` for a model without frozen layers.
        DivergedError, StoppedError: a loss or weights that aren't finite; a signal, after `saving` wrote a checkpoint.
    """
    precision, strategy = choose(settings.precision, model), strategy or _default_strategy()
    steps = min(batches.steps_per_epoch, max_steps or batches.steps_per_epoch)
    with strategy.scope():
        trainee = compiled(
            model,
            precision.policy,
            settings,
            steps=steps,
            batches=batches,
            contract=contract,
            objective=objective,
            companion=companion,
        )
    state, saving = TrainingState(trainee, trainee.first_bad_step), saving or Saving.nowhere()
    facts = {"epochs": settings.epochs, "steps": steps, "batch_size": batches.batch_size, "verbose": 0}
    every = keras.callbacks.CallbackList(list(callbacks), model=trainee, **facts)
    loop = _Loop(trainee, state, settings, batches, validation, look, steps, strategy, every, saving)
    trainee.make_train_function()
    with saving.of(state):
        every.on_train_begin()
        while state.epoch < settings.epochs and not state.stopped:
            loop.epoch()
    _end_with_kept_weights(trainee, state, settings, model, companion)
    every.on_train_end(state.history[-1])
    return Outcome(state.history, state.kept_epoch, precision, strategy.num_replicas_in_sync)


@dataclass(frozen=True)
class _Loop:
    """The epochs and steps of a training, from wherever `state` is."""

    trainee: Trainee
    state: TrainingState
    settings: Fit
    batches: Batches
    validation: tf.data.Dataset | None
    look: Look | None
    steps: int
    """Of an epoch."""
    strategy: tf.distribute.Strategy
    callbacks: keras.callbacks.CallbackList
    saving: Saving

    def epoch(self) -> None:
        """The rest of an epoch: its steps, validation, its row of the history and its checkpoint."""
        state, settings, trainee = self.state, self.settings, self.trainee
        epoch, started = state.epoch, time.perf_counter() - state.seconds
        if settings.freeze_epochs is not None and epoch >= settings.freeze_epochs:
            unfreeze(trainee)
        self.callbacks.on_epoch_begin(epoch)
        if state.step == 0:
            trainee.reset_metrics()
        if state.step < self.steps:
            self._steps()
        row = {name: float(value) for name, value in trainee.get_metrics_result().items()}
        with self.saving.validation(), _averaged(trainee, settings):
            row |= self._validated() if self.validation is not None else {}
            row |= self.look(trainee, epoch) if self.look is not None else {}
            if settings.early_stopping and (row["val_loss"] < state.kept_loss or state.kept_weights is None):
                state.keep(epoch, row["val_loss"], trainee.get_weights())
        row["learning_rate"] = float(tf.convert_to_tensor(_inner(trainee.optimizer).learning_rate))
        row["images_per_second"] = self.steps * self.batches.batch_size / state.seconds
        row["seconds"] = time.perf_counter() - started
        state.history.append(row)
        self.callbacks.on_epoch_end(epoch, row)
        stale = settings.early_stopping and epoch - state.kept_epoch >= settings.early_stopping
        state.stopped = bool(stale or trainee.stop_training)
        state.epoch, state.step, state.seconds = epoch + 1, 0, 0.0
        self.saving.epoch_ended()

    def _steps(self) -> None:
        """The steps of an epoch from `state.step` on."""
        state, at_once = self.state, self.trainee.steps_per_execution
        began = time.perf_counter() - state.seconds
        left = self.batches.dataset(state.epoch, state.step).take(self.steps - state.step)
        iterator = iter(self.strategy.experimental_distribute_dataset(left))
        for step in range(state.step, self.steps, at_once):
            self.callbacks.on_train_batch_begin(step)
            logs = self.trainee.train_function(iterator)
            raise_if_diverged(self.trainee.first_bad_step, self.steps)
            state.step = min(step + at_once, self.steps)
            state.seconds = time.perf_counter() - began
            self.callbacks.on_train_batch_end(state.step - 1, logs)
            if self.trainee.stop_training:
                break
            self.saving.steps_done()

    def _validated(self) -> dict[str, float]:
        """The figures on the validation data; it ends early where a signal asks for it."""
        signals = _Signals(self.saving)
        figures = self.trainee.evaluate(self.validation, verbose=0, return_dict=True, callbacks=[signals])
        return {f"val_{name}": float(value) for name, value in figures.items()}


class _Signals(keras.callbacks.Callback):
    """Ends a validation when a signal asks for it."""

    def __init__(self, saving: Saving) -> None:
        super().__init__()
        self.saving = saving

    def on_test_batch_end(self, batch: int, logs: dict | None = None) -> None:
        """After each batch."""
        self.saving.raise_if_asked()


def _end_with_kept_weights(
    trainee: Trainee, state: TrainingState, settings: Fit, model: keras.Model, companion: keras.Model | None
) -> None:
    """Sets the weights of the best epoch where early stopping chose one, else the last's, in `trainee` and `model`; the
    companion has the last's."""
    if state.kept_weights is None:
        with _averaged(trainee, settings):
            state.keep(len(state.history) - 1, math.inf, trainee.get_weights())
    assert state.kept_weights is not None
    raise_if_not_finite(state.kept_weights)
    trainee.set_weights(state.kept_weights)
    for layer in model.layers:
        layer.trainable = trainee.get_layer(layer.name).trainable
    model.set_weights(state.kept_weights)
    if companion is not None:
        trainee.leave(companion)


def _default_strategy() -> tf.distribute.Strategy:
    if len(tf.config.list_logical_devices("GPU")) > 1:
        return tf.distribute.MirroredStrategy()
    return tf.distribute.get_strategy()


def _inner(optimizer: keras.Optimizer) -> keras.Optimizer:
    """The optimizer itself, without the loss scaling that mixed float16 wraps it in."""
    return getattr(optimizer, "inner_optimizer", optimizer)


@contextmanager
def _averaged(trainee: Trainee, settings: Fit) -> Iterator[None]:
    """While inside, the weights are the optimizer's moving averages, where it keeps some."""
    pairs = averages(_inner(trainee.optimizer)) if settings.ema > 0 else ()
    own = [variable.numpy() for variable, _ in pairs]
    for variable, average in pairs:
        variable.assign(average)
    try:
        yield
    finally:
        for (variable, _average), value in zip(pairs, own, strict=True):
            variable.assign(value)
