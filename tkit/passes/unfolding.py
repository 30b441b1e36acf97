"""The inverse of `fold` for shared weights: TFMOT keeps them shared only if they are equal throughout a kernel."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import keras
import numpy as np

from tkit.graph import Part, chained, clone, copied, fresh, loaded, names, rewritten
from tkit.kernels.scales import scale_shape
from tkit.promises import Clusters
from tkit_edge.errors import InputError


def unfold(model: keras.Model, clustered: Mapping[str, Clusters]) -> keras.Model:
    """A copy of `model` in which clustered kernels hold the centroids themselves.

    The channels' scales move to a frozen batch normalization after the layer, which `fold` folds in again.

    Raises:
        InputError: a layer with an activation and scales that differ.
    """
    scales = {name: np.asarray(item.scales, np.float32) for name, item in clustered.items()}
    scales = {name: values for name, values in scales.items() if np.ptp(values) > 0}
    for name in scales:
        if model.get_layer(name).activation is not keras.activations.linear:
            raise InputError(
                f"TFMOT keeps weights shared only if they are equal throughout a kernel, but those of {name!r} have "
                "one scale per channel, and an activation. Put the activation into a separate layer, or use "
                "quantize:aware=true."
            )
    used = names(model)

    def replace(node: Any) -> Part | None:
        layer = node.operation
        if layer.name not in scales:
            return copied(layer)
        own, kernel = scales[layer.name], layer.kernel.numpy()
        shaped = own.reshape(scale_shape(layer, kernel.shape))
        values = np.divide(kernel, shaped, out=np.zeros_like(kernel), where=shaped != 0)
        centroids = np.asarray(clustered[layer.name].centroids, np.float32)
        weights = [centroids[np.searchsorted((centroids[1:] + centroids[:-1]) / 2, values)]]
        if layer.use_bias:
            weights.append(np.divide(layer.bias.numpy(), own, out=np.zeros_like(own), where=own != 0))
        norm = keras.layers.BatchNormalization(name=fresh(f"{layer.name}_scales", used))
        statistics = [own, np.zeros_like(own), np.zeros_like(own), np.full_like(own, 1 - norm.epsilon)]
        return chained(loaded(clone(layer), weights, layer.trainable), loaded(norm, statistics, trainable=False))

    return rewritten(model, replace)
