"""TensorFlow Model Optimization Toolkit 0.8 in tkit's steps: its import, and training the way its users do.

TFMOT works on Keras 2 (tf_keras) only, so its steps run on a twin (`keras2`). It can be imported in the process that
runs Keras 3. Training is Keras 2's `fit` in float32, with the images, the schedule and the loss of tkit's own
steps; it writes no checkpoints.
"""

from __future__ import annotations

import math
import os
from collections.abc import Sequence
from functools import cache
from typing import Any

import keras
import tensorflow as tf

from tkit import console
from tkit._quiet import chatter_dropped
from tkit.compressible.selection import chosen
from tkit.compression.workbench import Workbench
from tkit.kernels.viewed import with_kernels
from tkit.promises import State
from tkit.tasks.classification import Classification
from tkit.training.optimizers import Optimizer
from tkit.training.optimizers.adamw import AdamW
from tkit.training.optimizers.sgd import SGD
from tkit.training.schedules.one_cycle import OneCycle
from tkit_edge.errors import DivergedError, InputError
from tkit_edge.outputs.classes import Classes
from tkit_pipelines.batches import in_order

_LEGACY = "TF_USE_LEGACY_KERAS"


@cache
def tfmot() -> Any:
    """The package `tensorflow_model_optimization`.

    Raises:
        InputError: it isn't installed.
    """
    # TFMOT sets a variable that turns `tf.keras` into Keras 2, in this process and its children. Once `tf.keras` is
    # loaded the variable changes nothing here, and children don't get it.
    getattr(tf.keras, "__name__", None)
    before = os.environ.get(_LEGACY)
    try:
        with chatter_dropped():
            import tensorflow_model_optimization
            import tf_keras  # noqa: F401
    except ImportError as error:
        raise InputError(
            f"This step runs TensorFlow Model Optimization Toolkit, which isn't installed ({error}). Install it: "
            'pip install "keras-tkit[tfmot]"'
        ) from error
    finally:
        if before is None:
            os.environ.pop(_LEGACY, None)
        else:
            os.environ[_LEGACY] = before
    return tensorflow_model_optimization


def refuse(state: State, step: str, *kinds: str) -> None:
    """Raises InputError if `state` has a property that TFMOT would undo; `kinds` are fields of `Kept`."""
    for kind in kinds:
        if getattr(state.kept, kind):
            raise InputError(f"{step}: the weights are {kind} already, and TFMOT would undo that. Put {step} before.")


def chosen_for_tfmot(model: keras.Model, skip: Sequence[str], step: str) -> list[str]:
    """The names of the layers that `chosen` returns and TFMOT prunes and clusters; it has no rule for depthwise
    kernels.

    Raises:
        InputError: as `chosen`.
    """
    depthwise = [layer.name for layer in with_kernels(model) if isinstance(layer, keras.layers.DepthwiseConv2D)]
    names = [layer.name for layer in chosen(model, [*skip, *depthwise], step)]
    if depthwise:
        console.say(f"{step}: TFMOT leaves depthwise kernels as they are: {', '.join(depthwise)}")
    return names


def fit(
    model: Any, work: Workbench, *, epochs: int, optimizer: Optimizer, callbacks: Sequence[Any] = (), label: str
) -> None:
    """Trains a tf_keras `model` in place.

    Args:
        model: float32 pixels [batch, height, width, channels] to [batch, classes].
        work: its images, loss and seed.
        epochs: of the training split.
        optimizer: SGD or AdamW; the others are tkit's own.
        callbacks: TFMOT's.
        label: the step's label, for progress.

    Raises:
        InputError: another optimizer, or SGD with `vector_scale`.
        DivergedError: a loss that is not finite.
    """
    import tf_keras

    output, task = work.contract.output, work.contract.task
    if not isinstance(output, Classes) or not isinstance(task, Classification):
        raise InputError(f"{label}: TFMOT's steps take a classifier; this model gives {output.line()}.")
    tf_keras.utils.set_random_seed(work.seed)
    model.compile(
        _optimizer(work.scaled(optimizer), work, epochs * work.steps_per_epoch),
        tf_keras.losses.CategoricalCrossentropy(from_logits=not output.saturated, label_smoothing=task.label_smoothing),
        metrics=[tf_keras.metrics.CategoricalAccuracy(name="accuracy")],
    )
    validation = in_order(work.splits.validation, work.data, work.contract.encoded)

    def say(epoch: int, logs: dict[str, float]) -> None:
        if not math.isfinite(logs["loss"]):
            raise DivergedError(f"{label}: the loss is {logs['loss']} in epoch {epoch + 1}. Lower the learning rate.")
        console.say(
            f"{label}: epoch {epoch + 1} of {epochs}: loss {logs['loss']:.4f}, "
            f"validation accuracy {logs['val_accuracy']:.2%}"
        )

    model.fit(
        work.batches.dataset(0, 0).map(_float32),
        epochs=epochs,
        steps_per_epoch=work.steps_per_epoch,
        validation_data=validation.map(_float32),
        callbacks=[*callbacks, tf_keras.callbacks.LambdaCallback(on_epoch_end=say)],
        verbose=0,
    )


def _float32(images: tf.Tensor, *rest: tf.Tensor) -> tuple[tf.Tensor, ...]:
    return tf.cast(images, tf.float32), *rest


def _optimizer(optimizer: Optimizer, work: Workbench, steps: int) -> Any:
    """Keras 2's optimizer, with the one-cycle schedule of tkit's own steps."""
    import tf_keras

    class Schedule(tf_keras.optimizers.schedules.LearningRateSchedule):
        def __init__(self) -> None:
            peak = optimizer.scaled(work.batches.batch_size)
            self.schedule = OneCycle(warmup=0.1).build(peak, steps)

        def __call__(self, step: tf.Tensor) -> tf.Tensor:
            return self.schedule(step)

    if isinstance(optimizer, SGD) and optimizer.vector_scale == 1.0:
        decay = optimizer.weight_decay or None
        made = tf_keras.optimizers.SGD(Schedule(), optimizer.momentum, nesterov=True, weight_decay=decay)
    elif isinstance(optimizer, AdamW):
        made = tf_keras.optimizers.AdamW(Schedule(), optimizer.weight_decay, optimizer.beta_1, optimizer.beta_2)
    else:
        raise InputError(
            f"TFMOT trains with Keras 2's optimizers, received {optimizer.model_dump_json()}. Expected sgd with "
            "vector_scale=1, or adamw."
        )
    made.exclude_from_weight_decay(var_names=["bias", "gamma", "beta"])
    return made
