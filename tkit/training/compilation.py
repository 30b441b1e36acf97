"""A model made ready to train: its trainee with optimizer, loss and metrics, and all of their variables made."""

from __future__ import annotations

from typing import Any

import keras
import tensorflow as tf

from tkit.contract import Contract
from tkit.tasks.generation import Generation
from tkit.training.adversarial import AdversarialTrainee
from tkit.training.config import Fit
from tkit.training.keras_lookahead import look_ahead
from tkit.training.schedules._keras_schedule import ScaledFrom
from tkit.training.trainee import Objective, Trainee
from tkit.training.twin import training_twin
from tkit_edge.errors import InputError
from tkit_pipelines.batches import Batches


def compiled(
    model: keras.Model,
    policy: str,
    settings: Fit,
    *,
    steps: int,
    batches: Batches,
    contract: Contract,
    objective: Objective | None,
    companion: keras.Model | None,
) -> Trainee:
    """The compiled trainee of a stock model; to be called within the scope of the distribution strategy.

    Args:
        model: float32 functional model; it isn't changed.
        policy: the dtype policy of training.
        settings: the recipe's `fit`.
        steps: of an epoch.
        batches: which it is trained on.
        contract: what it learns.
        objective: in place of the task's loss.
        companion: the network that it is trained against, if any; it isn't changed.

    Raises:
        InputError: `freeze_epochs` for a model without frozen layers.
    """
    twin = training_twin(model, policy, settings.l2)
    optimizer, losses = _optimizer(settings, batches.batch_size, steps), dict[str, Any]()
    if companion is None:
        trainee = Trainee(twin, objective)
        losses = {"loss": contract.loss(), "metrics": contract.task.metrics()}
    else:
        assert isinstance(contract.task, Generation)  # nothing else has a companion
        rival = training_twin(companion, policy, settings.l2)
        own = _optimizer(settings, batches.batch_size, steps, contract.task.discriminator_rate)
        if policy == "mixed_float16":
            own = keras.optimizers.LossScaleOptimizer(own)
        trainee = AdversarialTrainee(twin, rival, own, contract.task, batches.seed)
    if settings.freeze_epochs is not None and not any(layer.weights for layer in _frozen(trainee)):
        raise InputError(
            f"fit.freeze_epochs={settings.freeze_epochs}, but the model has no frozen layers. Leave it null, or take a "
            "model=backbone with weights."
        )
    # MirroredStrategy crashes with a device loop around more than one step (TensorFlow 2.21).
    several_devices = tf.distribute.get_strategy().num_replicas_in_sync > 1
    trainee.compile(
        optimizer,
        steps_per_execution=1 if several_devices else min(settings.steps_per_execution, steps),
        jit_compile="auto" if tf.config.list_physical_devices("GPU") else False,
        **losses,
    )
    _create_variables(trainee, thawing=settings.freeze_epochs is not None)
    return trainee


def unfreeze(trainee: Trainee) -> None:
    """Trains the frozen layers too from the next step on; nothing where all are trained already."""
    frozen = _frozen(trainee)
    if frozen:
        _set_trainable(frozen, True)
        trainee.make_train_function(force=True)


def _optimizer(settings: Fit, batch_size: int, steps: int, rate: float = 1.0) -> keras.Optimizer:
    peak = rate * settings.optimizer.scaled(batch_size)
    schedule = settings.schedule.build(peak, total_steps=settings.epochs * steps)
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
    return optimizer


def _frozen(trainee: Trainee) -> list[keras.layers.Layer]:
    return [layer for layer in trainee.layers if not layer.trainable]


def _set_trainable(layers: list[keras.layers.Layer], trainable: bool) -> None:
    for layer in layers:
        layer.trainable = trainable


def _create_variables(trainee: Trainee, *, thawing: bool) -> None:
    """Makes the optimizer's and the metrics' variables now, if `thawing` those of layers that are frozen yet too.

    Made while the train function is traced, they would have it traced twice, and fail under MirroredStrategy.
    """
    frozen = _frozen(trainee) if thawing else []
    _set_trainable(frozen, True)
    trainee.optimizer.build(trainee.trainable_variables)
    _set_trainable(frozen, False)
    trainee.create_variables()
