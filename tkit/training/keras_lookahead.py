"""Lookahead around any Keras optimizer: fast weights, drawn to slow ones."""

from __future__ import annotations

import keras
import tensorflow as tf

from tkit.keras_internals import variable_index

PERIOD = 5
"""Steps between two moves of the slow weights."""
POWER = 3
"""The slow weights' share grows with this power of the progress through training."""


def look_ahead(optimizer: keras.Optimizer, share: float, total_steps: int) -> None:
    """Makes `optimizer` draw the weights to their slow average, every fifth step.

    The slow weights go to where the others are, but for a share of the way; the others go on from there. The share
    rises with the cube of the progress, so the slow weights follow closely at first and average at the end.

    Source: Zhang et al. 2019, "Lookahead Optimizer: k steps forward, 1 step back"; the period and the rising share are
    KellerJordan/cifar10-airbench's.

    Args:
        optimizer: not built yet; changed in place.
        share: of the slow weights at the end, in (0, 1).
        total_steps: training steps in all.
    """
    build, step_alone = optimizer.build, optimizer.update_step
    slow_weights: list[keras.Variable] = []

    def build_with_slow(variables: list[keras.Variable]) -> None:
        build(variables)
        slow_weights.extend(optimizer.add_optimizer_variables(variables, "slow"))

    def update_step(gradient: tf.Tensor, variable: tf.Variable, learning_rate: tf.Tensor) -> None:
        step_alone(gradient, variable, learning_rate)
        slow = slow_weights[variable_index(optimizer, variable)]
        step = tf.cast(optimizer.iterations, tf.float32) + 1.0
        # Before the first move there is nothing slow to be drawn to.
        kept = tf.where(step > PERIOD, share * (step / total_steps) ** POWER, 0.0)
        moves = tf.equal(step % PERIOD, 0.0)
        slow.assign(tf.where(moves, kept * slow + (1.0 - kept) * variable, slow))
        variable.assign(tf.where(moves, slow, variable))

    optimizer.build, optimizer.update_step = build_with_slow, update_step
