"""The first step whose loss is not finite, recorded in the graph and read once an execution."""

from __future__ import annotations

from collections.abc import Sequence

import keras
import numpy as np
import tensorflow as tf

from tkit_edge.errors import DivergedError


def watch(twin: keras.Model) -> tf.Variable:
    """Makes the train step record, in the graph, the first step whose logs are not finite; 0 while there is none."""
    first = tf.Variable(
        0,
        dtype=tf.int64,
        trainable=False,
        synchronization=tf.VariableSynchronization.ON_READ,
        aggregation=tf.VariableAggregation.ONLY_FIRST_REPLICA,
        name="first_bad_step",
    )
    inner = twin.train_step

    def train_step(data: object) -> dict:
        logs = inner(data)
        finite = tf.reduce_all([tf.reduce_all(tf.math.is_finite(value)) for value in logs.values()])
        replicas = tf.distribute.get_replica_context()
        bad = replicas.all_reduce(tf.distribute.ReduceOp.SUM, tf.cast(tf.logical_not(finite), tf.int64)) > 0
        step = tf.cast(tf.convert_to_tensor(twin.optimizer.iterations), tf.int64)
        first.assign(tf.where(tf.logical_and(first.read_value() == 0, bad), step, first.read_value()))
        return logs

    twin.train_step = train_step
    return first


_REMEDY = "Try a lower fit.optimizer.learning_rate, a longer fit.schedule.warmup, or fit.clip_norm=1."


def raise_if_diverged(first_bad_step: tf.Variable, steps_per_epoch: int) -> None:
    """Raises DivergedError, with the step and the epoch, once `watch` has recorded a step."""
    step = int(first_bad_step.numpy())
    if step:
        raise DivergedError(
            f"The loss stopped being finite at step {step} (epoch {(step - 1) // steps_per_epoch + 1}). {_REMEDY}"
        )


def raise_if_not_finite(weights: Sequence[np.ndarray]) -> None:
    """Raises DivergedError for trained weights that aren't numbers: a variance may overflow where the loss doesn't."""
    if not all(np.isfinite(array).all() for array in weights):
        raise DivergedError(f"Some weights are infinite or no numbers after training. {_REMEDY}")
