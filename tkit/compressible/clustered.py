"""Models whose kernels share a few values while they are trained."""

from __future__ import annotations

from collections.abc import Sequence

import keras
import numpy as np

from tkit.compressible.model import Compressible, Method
from tkit.compressible.selection import chosen, say_what_stays
from tkit.kernels.centroids import Start, channel_scales, clusters_of, codebook, kmeans
from tkit.kernels.recentre import Recentre
from tkit.kernels.scales import scale_shape
from tkit.kernels.viewed import kernel_of, stock, view
from tkit.passes.folding import fold
from tkit.plan import Plan
from tkit.promises import Kept, State
from tkit.registered import registered
from tkit_edge.errors import InputError


@registered
class Clustered(Method):
    """Training of centroids and of the weights that move among them."""

    layers: tuple[str, ...]

    def plans(self, source: keras.Model, trained: keras.Model, total: int) -> Sequence[Plan]:
        """Weights are brought back to their centroids each epoch."""
        return [Recentre([trained.get_layer(name) for name in self.layers])]

    def finished(self, graph: keras.Model, kept: Kept, origin: keras.Model | None) -> State:
        """The model with centroids times scales for its weights."""
        made = {name: clusters_of(graph.get_layer(name)) for name in self.layers}
        return State(stock(graph), kept.model_copy(update={"clustered": {**kept.clustered, **made}}))


def clustered(
    state: State, *, clusters: int, together: bool, start: Start, skip: Sequence[str], seed: int
) -> Compressible:
    """The model with shared weights. Batch normalization is folded in first: it would scale shared values apart.

    Args:
        state: it isn't changed.
        clusters: distinct values of a kernel, at most.
        together: whether all kernels have the same values.
        start: where k-means begins.
        skip: layers that stay as they are, by name or kind.
        seed: of k-means.

    Raises:
        InputError: as `clusterable_layers`.
    """
    model = fold(state.model)
    layers = clusterable_layers(model, skip)
    say_what_stays(model, layers, "cluster")
    zeros = [layer.name in state.kept.pruned for layer in layers]
    found, scales = _codebooks(layers, zeros, clusters, start, together, seed)
    views: dict[str, list] = {name: [("masked", {})] for name in state.kept.pruned}
    for layer, centroids in zip(layers, found, strict=True):
        views.setdefault(layer.name, []).append(("clustered", {"clusters": len(centroids), "fixed": together}))
    graph = view(model, views)
    for layer, centroids, scale in zip(layers, found, scales, strict=True):
        shared = graph.get_layer(layer.name).views["clustered"]
        shared.centroids.assign(centroids)
        shared.scales.assign(scale)
    return Compressible.of(graph, Clustered(layers=tuple(layer.name for layer in layers)), state.kept)


def clusterable_layers(folded: keras.Model, skip: Sequence[str]) -> list[keras.layers.Layer]:
    """The layers of a folded model whose kernels have two weights to share, less those that `skip` names.

    Raises:
        InputError: there are none, or `skip` names a layer that isn't there.
    """
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
