"""Weight sharing as TensorFlow Model Optimization Toolkit does it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras
import numpy as np

from tkit.compression.tfmot.fine_tuning import chosen_for_tfmot, fit, refuse, tfmot
from tkit.compression.workbench import Workbench
from tkit.kernels.scales import scale_shape
from tkit.passes.folding import factors, fold
from tkit.promises import Clusters, State
from tkit.training.optimizers import Optimizer
from tkit_edge.errors import InputError


def cluster(
    state: State, work: Workbench, *, clusters: int, skip: Sequence[str], epochs: int, optimizer: Optimizer, label: str
) -> State:
    """A clustered and fine-tuned copy.

    Batch normalization is folded in after: its factors become the scales of the shared values.

    Args:
        state: it isn't changed.
        work: training images.
        clusters: distinct values of a kernel.
        skip: layers that stay as they are, by name or kind.
        epochs: of the fine-tuning.
        optimizer: SGD or AdamW.
        label: the step's, for progress.

    Raises:
        InputError: TFMOT isn't installed, or what it can't do is named.
    """
    tfmot()
    refuse(state, "tfmot_cluster", "clustered", "quantized")
    names = chosen_for_tfmot(state.model, skip, "tfmot_cluster")
    _check(state, names, clusters)
    from tkit.compression.tfmot.keras2 import back, twin

    shared = _wrapped(twin(state.model), names, clusters, pruned=bool(state.kept.pruned))
    fit(shared, work, epochs=epochs, optimizer=optimizer, label=label)
    model = back(tfmot().clustering.keras.strip_clustering(shared), state.model)
    scaled = factors(model)
    found = {name: _clusters(model.get_layer(name), scaled.get(name)) for name in names}
    return State(fold(model), state.kept.model_copy(update={"clustered": found}))


def _check(state: State, names: Sequence[str], clusters: int) -> None:
    """Raises InputError for layers with too few weights, or pruned layers that TFMOT would train dense."""
    for name in names:
        weights = state.model.get_layer(name).kernel.shape.num_elements()
        if weights < clusters:
            raise InputError(
                f"tfmot_cluster: {name!r} has {weights} weights, fewer than the {clusters} clusters asked "
                "for. Ask for fewer, or add it to skip."
            )
    left = [name for name in state.kept.pruned if name not in names]
    if left:
        raise InputError(
            f"tfmot_cluster: {', '.join(left)} is pruned and not clustered, and TFMOT would train its zeros away. "
            "Prune and cluster the same layers."
        )


def _wrapped(model: Any, names: Sequence[str], clusters: int, *, pruned: bool) -> Any:
    """A tf_keras twin whose layers of these names have TFMOT's wrappers; if `pruned`, zeros stay zeros."""
    import tf_keras

    start = tfmot().clustering.keras.CentroidInitialization.KMEANS_PLUS_PLUS
    # TFMOT's guide to sparsity-preserving clustering imports it from there: the public function can't do it.
    from tensorflow_model_optimization.python.core.clustering.keras.experimental import cluster as experimental

    def wrapped(layer: Any) -> Any:
        if layer.name not in names:
            return layer
        return experimental.cluster_weights(layer, clusters, start, preserve_sparsity=pruned)

    return tf_keras.models.clone_model(model, clone_function=wrapped)


def _clusters(layer: keras.layers.Layer, factor: Any) -> Clusters:
    """What the weights share once they are multiplied by `factor`, a channel's, in folding."""
    kernel = layer.kernel.numpy()
    largest = np.abs(kernel).max() or np.float32(1)
    channels = int(np.prod(scale_shape(layer, kernel.shape)))
    scales = np.broadcast_to(largest * (np.float32(1) if factor is None else factor), channels)
    centroids = np.unique(kernel) / largest
    return Clusters(centroids=tuple(centroids.tolist()), scales=tuple(scales.tolist()))
