"""Weight sharing by TensorFlow Model Optimization Toolkit, for those who rely on it; `cluster` is tkit's own.

Source: tensorflow.org/model_optimization/guide/clustering.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, ClassVar, Literal

from pydantic import Field

from tkit.compression.step import Names, Step
from tkit.compression.steps.cluster import Cluster
from tkit.promises import State
from tkit.training.optimizers import Optimizer
from tkit_pipelines.config import OneOf

if TYPE_CHECKING:
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
    optimizer: Annotated[Optimizer, OneOf("tkit.training.optimizers")] = Cluster.usual_optimizer
    """Of the fine-tuning: `sgd` or `adamw`."""

    @property
    def label(self) -> str:
        """Such as `tfmot-cluster-16`."""
        return f"tfmot-cluster-{self.clusters}"

    def apply(self, state: State, work: Workbench) -> State:
        """Batch normalization is folded in after: its factors become the scales of the shared values."""
        from tkit.compression.tfmot import clustering

        return clustering.cluster(
            state,
            work,
            clusters=self.clusters,
            skip=self.skip,
            epochs=work.epochs(self.kind, self.epochs, self.usual_epochs),
            optimizer=self.optimizer,
            label=self.label,
        )
