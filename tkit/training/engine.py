"""The training engine: a short loop around Keras's compiled train function.

Keras's `fit` can't begin in mid-epoch; this loop can, because the batch at (epoch, step) is a pure function.
Optimizers, losses, metrics and callbacks are Keras's own. What it trains is a clone of a functional model
(`tkit.training.twin`); a subclass with a `train_step` of its own is refused before.
"""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Sequence
from typing import Any, NamedTuple, Protocol

import keras
import tensorflow as tf

from tkit.keras_internals import averages
from tkit.training.config import Fit
from tkit.training.divergence import raise_if_diverged, raise_if_not_finite, watch
from tkit.training.keras_lookahead import look_ahead
from tkit.training.precision import Precision, choose
from tkit.training.saving import Saving
from tkit.training.schedules._keras_schedule import ScaledFrom
from tkit.training.state import TrainingState
from tkit.training.twin import training_twin
from tkit_edge.errors import InputError
from tkit_pipelines.batches import Batches


class Objective(Protocol):
    """A loss in place of cross-entropy."""

    features: tuple[str, ...]
    """Layers whose outputs it sees."""

    def __call__(
        self, images: tf.Tensor, labels: tf.Tensor, outputs: tf.Tensor, features: Sequence[tf.Tensor]
    ) -> tf.Tensor:
        """The mean over the batch, from [batch, ...] images, [batch, classes] one-hot labels and outputs."""


class Outcome(NamedTuple):
    """What training gave: one row of figures an epoch, the epoch whose weights were kept, and how it ran."""

    history: list[dict[str, float]]
    kept_epoch: int
    precision: Precision
    replicas: int


def train(
    model: keras.Model,
    batches: Batches,
    validation: tf.data.Dataset,
    settings: Fit,
    *,
    callbacks: Sequence[keras.callbacks.Callback] = (),
    max_steps: int | None = None,
    strategy: tf.distribute.Strategy | None = None,
    saving: Saving | None = None,
    objective: Objective | None = None,
    probabilities: bool = False,
) -> Outcome:
    """Trains a float32 functional classifier in place.

    Args:
        model: float32 pixels [batch, height, width, channels] to logits [batch, classes]; uncompiled.
        batches: training batches of (uint8 images, float32 one-hot labels), with or without float32 weights [batch].
        validation: finite data set of the same, validated on after each epoch.
        settings: the recipe's `fit`.
        callbacks: Keras callbacks; they see the training twin as `self.model`.
        max_steps: ends each epoch after so many steps (dry runs).
        strategy: how several devices share each batch; all GPUs, where there are more than one, by default.
        saving: where checkpoints are written, how often, and the one to go on from; none by default.
        objective: the loss that is trained for, in place of cross-entropy.
        probabilities: whether the model gives probabilities, not logits.

    Raises:
        InputError: `freeze_epochs` for a model without frozen layers.
        DivergedError: a loss that is not finite, with the step at which it appeared, or weights that are not.
        StoppedError: `saving` wrote a checkpoint after a signal.
    """
    precision = choose(settings.precision, model)
    strategy = strategy or _default_strategy()
    steps = min(batches.steps_per_epoch, max_steps or batches.steps_per_epoch)
    # MirroredStrategy crashes with a device loop around more than one step (TensorFlow 2.21).
    per_execution = 1 if strategy.num_replicas_in_sync > 1 else min(settings.steps_per_execution, steps)
    with strategy.scope():
        twin = training_twin(model, precision.policy, settings.l2)
        schedule = settings.schedule.build(
            settings.optimizer.scaled(batches.batch_size), total_steps=settings.epochs * steps
        )
        frozen = _to_be_unfrozen(twin, settings)
        if settings.freeze_epochs is not None:
            schedule = ScaledFrom(schedule, settings.freeze_epochs * steps, settings.unfreeze_scale)
        optimizer = settings.optimizer.build(
            schedule,
            global_clipnorm=settings.clip_norm,
            use_ema=settings.ema > 0,
            ema_momentum=settings.ema or 0.99,  # Keras wants a value in (0, 1) even where it isn't used
        )
        if settings.lookahead:
            look_ahead(optimizer, settings.lookahead, settings.epochs * steps)
        optimizer.exclude_from_weight_decay(var_names=["bias", "gamma", "beta"])
        twin.compile(
            optimizer,
            loss=keras.losses.CategoricalCrossentropy(
                from_logits=not probabilities, label_smoothing=settings.label_smoothing
            ),
            metrics=[keras.metrics.CategoricalAccuracy(name="accuracy")],
            steps_per_execution=per_execution,
            jit_compile="auto" if tf.config.list_physical_devices("GPU") else False,
        )
        if objective is not None:
            _pursue(objective, twin)
        _create_variables(twin, frozen)
        first_bad_step = watch(twin)
    twin.make_train_function()
    state = TrainingState(twin, first_bad_step)
    saving = saving or Saving.nowhere()
    every = keras.callbacks.CallbackList(
        list(callbacks), model=twin, epochs=settings.epochs, steps=steps, batch_size=batches.batch_size, verbose=0
    )
    with saving.of(state):
        every.on_train_begin()
        while state.epoch < settings.epochs and not state.stopped:
            epoch, started = state.epoch, time.perf_counter() - state.seconds
            if frozen and epoch >= (settings.freeze_epochs or 0):
                _set_trainable(frozen, True)
                twin.make_train_function(force=True)
                frozen = []
            every.on_epoch_begin(epoch)
            if state.step == 0:
                twin.reset_metrics()
            _one_epoch(twin, strategy, batches, steps, per_execution, every, state, first_bad_step, saving)
            row = {name: float(value) for name, value in twin.get_metrics_result().items()}
            with saving.validation(), _Averaged(twin, settings.ema > 0):
                row |= {f"val_{name}": value for name, value in _evaluate(twin, validation, saving).items()}
                if settings.early_stopping and (row["val_loss"] < state.kept_loss or state.kept_weights is None):
                    state.keep(epoch, row["val_loss"], twin.get_weights())
            row["learning_rate"] = float(tf.convert_to_tensor(_inner(twin.optimizer).learning_rate))
            row["images_per_second"] = steps * batches.batch_size / state.seconds
            row["seconds"] = time.perf_counter() - started
            state.history.append(row)
            every.on_epoch_end(epoch, row)
            stale = settings.early_stopping and epoch - state.kept_epoch >= settings.early_stopping
            state.stopped = bool(stale or twin.stop_training)
            state.epoch, state.step, state.seconds = epoch + 1, 0, 0.0
            saving.epoch_ended()
    if state.kept_weights is None:
        with _Averaged(twin, settings.ema > 0):
            state.keep(len(state.history) - 1, math.inf, twin.get_weights())
    assert state.kept_weights is not None
    raise_if_not_finite(state.kept_weights)
    twin.set_weights(state.kept_weights)
    every.on_train_end(state.history[-1])
    for layer in model.layers:
        layer.trainable = twin.get_layer(layer.name).trainable
    model.set_weights(state.kept_weights)
    return Outcome(state.history, state.kept_epoch, precision, strategy.num_replicas_in_sync)


def _one_epoch(
    twin: keras.Model,
    strategy: tf.distribute.Strategy,
    batches: Batches,
    steps: int,
    per_execution: int,
    callbacks: keras.callbacks.CallbackList,
    state: TrainingState,
    first_bad_step: tf.Variable,
    saving: Saving,
) -> None:
    """The steps of an epoch from `state.step` on."""
    if state.step >= steps:
        return
    began = time.perf_counter() - state.seconds
    left = batches.dataset(state.epoch, state.step).take(steps - state.step)
    iterator = iter(strategy.experimental_distribute_dataset(left))
    for step in range(state.step, steps, per_execution):
        callbacks.on_train_batch_begin(step)
        logs = twin.train_function(iterator)
        raise_if_diverged(first_bad_step, steps)
        state.step = min(step + per_execution, steps)
        state.seconds = time.perf_counter() - began
        callbacks.on_train_batch_end(state.step - 1, logs)
        if twin.stop_training:
            break
        saving.steps_done()


def _evaluate(twin: keras.Model, validation: tf.data.Dataset, saving: Saving) -> dict[str, float]:
    signals = keras.callbacks.LambdaCallback()
    signals.on_test_batch_end = lambda batch, logs=None: saving.raise_if_asked()
    figures = twin.evaluate(validation, verbose=0, return_dict=True, callbacks=[signals])
    return {name: float(value) for name, value in figures.items()}


def _default_strategy() -> tf.distribute.Strategy:
    if len(tf.config.list_logical_devices("GPU")) > 1:
        return tf.distribute.MirroredStrategy()
    return tf.distribute.get_strategy()


def _inner(optimizer: keras.Optimizer) -> keras.Optimizer:
    """The optimizer itself, without the loss scaling that mixed float16 wraps it in."""
    return getattr(optimizer, "inner_optimizer", optimizer)


def _to_be_unfrozen(twin: keras.Model, settings: Fit) -> list[keras.layers.Layer]:
    """The layers that are frozen now and trained after `freeze_epochs`."""
    if settings.freeze_epochs is None:
        return []
    frozen = [layer for layer in twin.layers if not layer.trainable]
    if not any(layer.weights for layer in frozen):
        raise InputError(
            f"fit.freeze_epochs={settings.freeze_epochs}, but the model has no frozen layers. Leave it null, or take a "
            "model=backbone with weights."
        )
    return frozen


def _set_trainable(layers: list[keras.layers.Layer], trainable: bool) -> None:
    for layer in layers:
        layer.trainable = trainable


def _create_variables(twin: keras.Model, frozen: list[keras.layers.Layer]) -> None:
    """Makes the optimizer's and the metrics' variables now, those of layers that are unfrozen later too.

    Made while the train function is traced, they would have it traced twice, and fail under MirroredStrategy.
    """
    _set_trainable(frozen, True)
    twin.optimizer.build(twin.trainable_variables)
    _set_trainable(frozen, False)
    logits = tf.zeros((1, *twin.outputs[0].shape[1:]))
    twin.compute_loss(y=logits, y_pred=logits)
    twin.compute_metrics(None, logits, logits)
    twin.reset_metrics()


def _pursue(objective: Objective, twin: keras.Model) -> None:
    """Makes the train step minimize `objective`; validation's loss stays the compiled one."""
    compiled = twin.compute_loss
    step = threading.local()  # each replica's step is traced in a thread of its own
    step.features = []
    if objective.features:
        whole = keras.Model(twin.inputs, [*twin.outputs, *(twin.get_layer(name).output for name in objective.features)])

        def call(inputs: Any, training: bool | None = None, mask: Any = None) -> Any:
            outputs, *step.features = whole(inputs, training=training)
            return outputs

        twin.call = call

    def compute_loss(
        x: Any = None, y: Any = None, y_pred: Any = None, sample_weight: Any = None, training: bool = True
    ) -> Any:
        loss = compiled(x, y, y_pred, sample_weight, training)
        if x is None or not training:
            return loss
        return objective(x, y, y_pred, step.features) + tf.add_n([tf.zeros(()), *twin.losses])

    twin.compute_loss = compute_loss


class _Averaged:
    """While inside, the model's weights are the optimizer's moving averages."""

    def __init__(self, twin: keras.Model, enabled: bool) -> None:
        self.pairs = []
        if enabled:
            self.pairs = list(averages(_inner(twin.optimizer)))

    def __enter__(self) -> None:
        self.own = [variable.numpy() for variable, _ in self.pairs]
        for variable, average in self.pairs:
            variable.assign(average)

    def __exit__(self, *_: object) -> None:
        for (variable, _average), own in zip(self.pairs, self.own, strict=True):
            variable.assign(own)
