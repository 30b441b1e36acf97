"""Weight sharing: fine-tuning of kernels whose weights are a few centroids, times a scale a channel."""

from __future__ import annotations

from collections.abc import Sequence

import keras
import numpy as np

from tkit.compression.distillation import Distillation
from tkit.compression.selection import chosen, say_what_stays
from tkit.compression.step import State
from tkit.compression.workbench import Workbench
from tkit.kernels.centroids import Start, channel_scales, clusters_of, codebook, kmeans
from tkit.kernels.recentre import Recentre
from tkit.kernels.viewed import kernel_of, scale_shape, stock, view
from tkit.passes.folding import fold
from tkit.training.optimizers import Optimizer
from tkit_edge.errors import InputError


def cluster(
    state: State,
    work: Workbench,
    *,
    clusters: int,
    together: bool,
    start: Start,
    skip: Sequence[str],
    epochs: int,
    optimizer: Optimizer,
    teacher: str | None,
) -> State:
    """The clustered and fine-tuned model. Batch normalization is folded in first: it would scale shared values apart.

    Args:
        state: it isn't changed.
        work: training images and the engine.
        clusters: distinct values of a kernel, at most.
        together: whether all kernels have the same values.
        start: where k-means begins.
        skip: layers that stay as they are, by name or kind.
        epochs: of the fine-tuning.
        optimizer: of the fine-tuning.
        teacher: the run to distil from.

    Raises:
        InputError: as `check`.
    """
    distillation = Distillation(teacher, state.model, work) if teacher else None
    model = fold(state.model)
    layers = _clusterable(model, skip)
    say_what_stays(model, layers, "cluster")
    zeros = [layer.name in state.kept.pruned for layer in layers]
    found, scales = _codebooks(layers, zeros, clusters, start, together, work.seed)
    views: dict[str, list] = {name: [("masked", {})] for name in state.kept.pruned}
    for layer, centroids in zip(layers, found, strict=True):
        views.setdefault(layer.name, []).append(("clustered", {"clusters": len(centroids), "fixed": together}))
    clustered = view(model, views)
    for layer, centroids, scale in zip(layers, found, scales, strict=True):
        shared = clustered.get_layer(layer.name).views["clustered"]
        shared.centroids.assign(centroids)
        shared.scales.assign(scale)
    work.train(
        clustered,
        epochs=epochs,
        optimizer=optimizer,
        callbacks=[Recentre([layer.name for layer in layers])],
        objective=distillation,
    )
    made = {layer.name: clusters_of(clustered.get_layer(layer.name)) for layer in layers}
    kept = state.kept.model_copy(update={"clustered": {**state.kept.clustered, **made}})
    return State(stock(clustered), kept)


def check(model: keras.Model, skip: Sequence[str]) -> None:
    """Raises InputError where no kernel has two weights to share, or `skip` names what isn't there."""
    _clusterable(fold(model), skip)


def _clusterable(folded: keras.Model, skip: Sequence[str]) -> list[keras.layers.Layer]:
    candidates = chosen(folded, skip, "cluster")
    layers = [layer for layer in candidates if np.ptp(kernel_of(layer).numpy()) > 0]
    if not layers:
        raise InputError(f"cluster: all weights of {candidates[0].name!r} are equal: there is nothing to share.")
    return layers


def _codebooks(
    layers: Sequence[keras.layers.Layer], zeros: Sequence[bool], clusters: int, start: Start, together: bool, seed: int
) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """The centroids and the scales of each layer; `zeros` says which have pruned weights."""
    kernels = [kernel_of(layer).numpy() for layer in layers]
    shapes = [scale_shape(layer, kernel_of(layer).shape) for layer in layers]
    if together:
        centroids, scales = codebook(kernels, shapes, clusters, start, zero=any(zeros), seed=seed)
        return [centroids] * len(layers), scales
    scales = [channel_scales(*pair) for pair in zip(kernels, shapes, strict=True)]
    found = [
        kmeans((kernel / scale).ravel(), clusters, start, zero=zero, seed=seed)
        for kernel, scale, zero in zip(kernels, scales, zeros, strict=True)
    ]
    return found, scales
