"""The importance of each channel of a group: by its weights, or by how the loss changes without it.

Every ranking is divided by its group's mean, because the sizes of kernels, gammas and gradients differ between layers
for reasons unrelated to importance: 1 is the group's average channel. All are deterministic.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from tkit.arrays import fed, part
from tkit.compression.channels.axes import KERNELS, OWN
from tkit.compression.channels.groups import Layout, ids_along
from tkit.keras_internals import calls_of, producer
from tkit_edge.errors import InputError
from tkit_edge.tensors import Arrays

Importance = dict[str, np.ndarray]
"""A group's name -> float64 [width], 1 on average."""


def l1(model: keras.Model) -> Importance:
    """The sum of |kernel| of each channel over all layers that output it.

    Source: Li et al. 2017, "Pruning Filters for Efficient ConvNets".
    """
    layout = Layout(model)
    return _normalized(layout, _summed(layout, model, _absolute_kernel))


def bn_scale(model: keras.Model) -> Importance:
    """The sum of |gamma| of each channel over the BatchNormalization layers that it passes through.

    Source: Liu et al. 2017, "Learning Efficient Convolutional Networks through Network Slimming".

    Raises:
        InputError: a group that passes through no BatchNormalization with a scale.
    """
    layout = Layout(model)
    scaled = {layer.name for layer in model.layers if type(layer) is keras.layers.BatchNormalization and layer.scale}
    without = [
        group.name for group in layout.prunable() if not any(member.layer in scaled for member in group.batch_norms)
    ]
    if without:
        raise InputError(
            f"Channels can't be ranked by BatchNormalization's scale: the groups {', '.join(without)} pass none. Rank "
            "by l1 or taylor."
        )
    return _normalized(layout, _summed(layout, model, _absolute_gamma))


def taylor(
    model: keras.Model, examples: Arrays, targets: np.ndarray, loss: Callable[[Any, Any], Any], *, batch_size: int
) -> Importance:
    """How much the loss changes, to first order, when a channel is set to 0, summed over batches.

    A channel's change is activation x gradient, which is gamma dL/dgamma + beta dL/dbeta where BatchNormalization
    outputs it, and kernel dL/dkernel + bias dL/dbias where a layer without one does; a group's sites are summed
    before the absolute value is taken. Dropout is off and BatchNormalization uses its moving statistics.

    Args:
        model: float32 functional model.
        examples: training examples.
        targets: what is right of them, as the loss takes it, [n, ...].
        loss: the task's, from targets and outputs.
        batch_size: examples per step. Within a batch, changes of opposite sign cancel, so small batches reveal more.

    Source: Molchanov et al. 2019, "Importance Estimation for Neural Network Pruning".
    """
    layout = Layout(model)
    sites = _sites(model)
    variables = [variable.value for _, variable in sites]

    @tf.function(reduce_retracing=True)
    def changes(inputs: Any, wanted: tf.Tensor) -> list[tf.Tensor]:
        with tf.GradientTape(watch_accessed_variables=False) as tape:
            tape.watch(variables)
            value = loss(wanted, model(inputs, training=False))
        gradients = tape.gradient(value, variables, unconnected_gradients="zero")
        return [gradient * variable for gradient, variable in zip(gradients, variables, strict=True)]

    total = np.zeros(len(layout.trace.ties))
    for start in range(0, len(targets), batch_size):
        batch = slice(start, start + batch_size)
        of_batch = np.zeros_like(total)
        found = changes(_tensors(fed(model, part(examples, batch))), tf.constant(targets[batch]))
        for (layer, variable), change in zip(sites, found, strict=True):
            _add(of_batch, layout, layer, variable.name, change.numpy())
        total += np.abs(of_batch)
    return _normalized(layout, total)


def _tensors(inputs: Any) -> Any:
    return keras.tree.map_structure(tf.constant, inputs)


def _sites(model: keras.Model) -> list[tuple[keras.layers.Layer, keras.Variable]]:
    """The last weights that a channel's value depends on: BatchNormalization's, or the layer's if none follows."""
    norms = [layer for layer in model.layers if type(layer) is keras.layers.BatchNormalization]
    followed = {producer(tensor).name for layer in norms for node in calls_of(layer) for tensor in node.input_tensors}
    last = ("gamma", "beta", "bias", "kernel", "pointwise_kernel")
    return [
        (layer, variable)
        for layer in model.layers
        if layer in norms or layer.name not in followed
        for variable in layer.weights
        if variable.name in last
    ]


def _normalized(layout: Layout, total: np.ndarray) -> Importance:
    found = {}
    for group in layout.prunable():
        scores = total[layout.ids[group.name]]
        found[group.name] = scores / scores.mean() if scores.any() else np.ones_like(scores)
    return found


def _summed(layout: Layout, model: keras.Model, of: Callable[[str, np.ndarray], np.ndarray | None]) -> np.ndarray:
    """By number of the trace: the sum of `of`(variable) over all weights that belong to it."""
    total = np.zeros(len(layout.trace.ties))
    for layer in model.layers:
        for variable in layer.weights:
            values = of(variable.name, variable.numpy())
            if values is not None:
                _add(total, layout, layer, variable.name, values)
    return total


def _add(total: np.ndarray, layout: Layout, layer: keras.layers.Layer, name: str, values: np.ndarray) -> None:
    """Adds a variable's values to the channels that they belong to."""
    for axis, side, ids in ids_along(layout.trace, layer, name):
        if side in OWN:
            np.add.at(total, ids, np.moveaxis(values.astype(np.float64), axis, 0).reshape(len(ids), -1).sum(axis=1))


def _absolute_kernel(name: str, values: np.ndarray) -> np.ndarray | None:
    return np.abs(values) if name in KERNELS else None


def _absolute_gamma(name: str, values: np.ndarray) -> np.ndarray | None:
    return np.abs(values) if name == "gamma" else None
