"""Weight sharing by TensorFlow Model Optimization Toolkit, for those who rely on it; `cluster` is tkit's own.

Source: tensorflow.org/model_optimization/guide/clustering.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal

from pydantic import Field

from tkit.compression.step import Names, State, Step
from tkit.compression.steps.cluster import Cluster
from tkit.promises import Clusters
from tkit.training.optimizers import Optimizer
from tkit_edge.errors import InputError
from tkit_pipelines.config import OneOf

if TYPE_CHECKING:
    import keras

    from tkit.compression.workbench import Workbench


class TfmotCluster(Step):
    """Has each kernel's weights share `clusters` values with `cluster_weights`; pruned weights stay 0."""

    usual_epochs: ClassVar[int] = Cluster.usual_epochs
    kind: Literal["tfmot_cluster"] = "tfmot_cluster"
    clusters: int = Field(Cluster().clusters, ge=2, le=256)
    """Distinct values of a kernel."""
    skip: Names = ()
    """Layers that stay as they are, by name or by kind; as text `one+another` or `dense+depthwiseconv2d`."""
    epochs: int | None = Field(None, ge=1)
    """Passes over the training split; null: 5, more where the set is small."""
    optimizer: Annotated[Optimizer, OneOf("tkit.training.optimizers")] = Cluster().optimizer
    """Of the fine-tuning: `sgd` or `adamw`."""

    @property
    def label(self) -> str:
        """Such as `tfmot-cluster-16`."""
        return f"tfmot-cluster-{self.clusters}"

    def apply(self, state: State, work: Workbench) -> State:
        """Batch normalization is folded in after: its factors become the scales of the shared values."""
        from tkit.compression.tfmot.fine_tuning import chosen_for_tfmot, refuse, tfmot
        from tkit.passes.folding import factors, fold

        tfmot()
        refuse(state, "tfmot_cluster", "clustered", "quantized")
        names = chosen_for_tfmot(state.model, self.skip, "tfmot_cluster")
        for name in names:
            weights = state.model.get_layer(name).kernel.shape.num_elements()
            if weights < self.clusters:
                raise InputError(
                    f"tfmot_cluster: {name!r} has {weights} weights, fewer than the {self.clusters} clusters asked "
                    "for. Ask for fewer, or add it to skip."
                )
        left = [name for name in state.kept.pruned if name not in names]
        if left:
            raise InputError(
                f"tfmot_cluster: {', '.join(left)} is pruned and not clustered, and TFMOT would train its zeros away. "
                "Prune and cluster the same layers."
            )
        from tkit.compression.tfmot.keras2 import back, twin

        shared = back(self.trained(twin(state.model), names, bool(state.kept.pruned), work), state.model)
        scaled = factors(shared)
        found = {name: _clusters(shared.get_layer(name), scaled.get(name)) for name in names}
        return State(fold(shared), state.kept.model_copy(update={"clustered": found}))

    def trained(self, model: Any, names: list[str], pruned: bool, work: Workbench) -> Any:
        """A clustered tf_keras model, stripped of TFMOT's wrappers.

        Args:
            model: the twin; its layers are used.
            names: of the layers that are clustered.
            pruned: whether zeros stay.
            work: training images.
        """
        import tf_keras

        from tkit.compression.tfmot.fine_tuning import fit, tfmot

        clustering = tfmot().clustering.keras
        # TFMOT's guide to sparsity-preserving clustering imports it from there: the public function can't do it.
        from tensorflow_model_optimization.python.core.clustering.keras.experimental import cluster

        def wrapped(layer: Any) -> Any:
            if layer.name not in names:
                return layer
            start = clustering.CentroidInitialization.KMEANS_PLUS_PLUS
            return cluster.cluster_weights(layer, self.clusters, start, preserve_sparsity=pruned)

        shared = tf_keras.models.clone_model(model, clone_function=wrapped)
        fit(
            shared,
            work,
            epochs=work.epochs(self.kind, self.epochs, self.usual_epochs),
            optimizer=self.optimizer,
            label=self.label,
        )
        return clustering.strip_clustering(shared)


def _clusters(layer: keras.layers.Layer, factor: Any) -> Clusters:
    """What the weights share once they are multiplied by `factor`, a channel's, in folding."""
    import numpy as np

    from tkit.kernels.viewed import scale_shape

    kernel = layer.kernel.numpy()
    largest = np.abs(kernel).max() or np.float32(1)
    channels = int(np.prod(scale_shape(layer, kernel.shape)))
    scales = np.broadcast_to(largest * (np.float32(1) if factor is None else factor), channels)
    centroids = np.unique(kernel) / largest
    return Clusters(centroids=tuple(centroids.tolist()), scales=tuple(scales.tolist()))
