"""The first step whose loss is not finite, recorded in the graph and read once an execution."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import tensorflow as tf

from tkit_edge.errors import DivergedError


def watch() -> tf.Variable:
    """A variable for the first step that is not finite; 0 while there is none."""
    return tf.Variable(
        0,
        dtype=tf.int64,
        trainable=False,
        synchronization=tf.VariableSynchronization.ON_READ,
        aggregation=tf.VariableAggregation.ONLY_FIRST_REPLICA,
        name="first_bad_step",
    )


def record(first_bad_step: tf.Variable, logs: Mapping[str, tf.Tensor], iterations: tf.Tensor) -> None:
    """Within a train step: assigns the step's number to `first_bad_step`, if its `logs` are the first not finite.

    Args:
        first_bad_step: from `watch`.
        logs: the step's loss and metrics.
        iterations: of the optimizer, after the step.
    """
    finite = tf.reduce_all([tf.reduce_all(tf.math.is_finite(value)) for value in logs.values()])
    replicas = tf.distribute.get_replica_context()
    bad = replicas.all_reduce(tf.distribute.ReduceOp.SUM, tf.cast(tf.logical_not(finite), tf.int64)) > 0
    step = tf.cast(tf.convert_to_tensor(iterations), tf.int64)
    before = first_bad_step.read_value()
    first_bad_step.assign(tf.where(tf.logical_and(before == 0, bad), step, before))


_REMEDY = "Try a lower fit.optimizer.learning_rate, a longer fit.schedule.warmup, or fit.clip_norm=1."


def raise_if_diverged(first_bad_step: tf.Variable, steps_per_epoch: int) -> None:
    """Raises DivergedError, with the step and the epoch, once `record` has found a step."""
    step = int(first_bad_step.numpy())
    if step:
        raise DivergedError(
            f"The loss stopped being finite at step {step} (epoch {(step - 1) // steps_per_epoch + 1}). {_REMEDY}"
        )


def raise_if_not_finite(weights: Sequence[np.ndarray]) -> None:
    """Raises DivergedError for trained weights that aren't numbers: a variance may overflow where the loss doesn't."""
    if not all(np.isfinite(array).all() for array in weights):
        raise DivergedError(f"Some weights are infinite or no numbers after training. {_REMEDY}")
