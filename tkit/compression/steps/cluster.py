"""Weight sharing: each kernel gets a few distinct values, which compress well and live in the int8 code domain.

Source: Han et al. 2016, "Deep compression". Values are shared after each weight is divided by its output channel's
largest: per-channel quantization multiplies by that, so that k values are at most k distinct int8 codes in the file.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, ClassVar, Literal

from pydantic import Field

from tkit.compression.step import Names, Step
from tkit.promises import State
from tkit.training.optimizers import Optimizer
from tkit.training.optimizers.adamw import AdamW
from tkit_pipelines.config import OneOf

if TYPE_CHECKING:
    import keras

    from tkit.compression.workbench import Workbench


class Cluster(Step):
    """Has each kernel's weights share `clusters` values, and fine-tunes values and assignments."""

    usual_epochs: ClassVar[int] = 5
    usual_optimizer: ClassVar[Optimizer] = AdamW(learning_rate=1e-3, weight_decay=0)
    kind: Literal["cluster"] = "cluster"
    clusters: int = Field(16, ge=2, le=256)
    """Distinct values of a kernel, the 0 of pruned weights among them; a kernel that has fewer keeps those it has."""
    scope: Literal["layer", "global"] = "layer"
    """`layer`: each kernel has values of its own; `global`: all kernels have the same, which zips smaller."""
    start: Literal["kmeans++", "density", "linear"] = "kmeans++"
    """Where k-means begins: `kmeans++`, at equal shares of the weights (`density`), at equal distances (`linear`)."""
    skip: Names = ()
    """Layers that stay as they are, by name or by kind; as text `one+another` or `dense+depthwiseconv2d`."""
    epochs: int | None = Field(None, ge=1)
    """Passes over the training split; null: 5, more where the set is small."""
    optimizer: Annotated[Optimizer, OneOf("tkit.training.optimizers")] | None = None
    """Of the fine-tuning; null: AdamW at 0.001; against a discriminator the run's own."""
    teacher: str | None = None
    """A run whose logits are nine tenths of the loss, or `self`, the model as it was before all compression."""

    @property
    def label(self) -> str:
        """Such as `cluster-16`."""
        return f"cluster-{self.clusters}"

    def check(self, model: keras.Model, work: Workbench) -> None:
        """Raises InputError where no kernel has two weights to share, or `skip` names what isn't there."""
        from tkit.compressible.clustered import clusterable_layers
        from tkit.passes.folding import fold

        clusterable_layers(fold(model), self.skip)

    def apply(self, state: State, work: Workbench) -> State:
        """Batch normalization is folded in first: it would scale shared values apart."""
        from tkit.compression import clustering

        return clustering.cluster(
            state,
            work,
            clusters=self.clusters,
            together=self.scope == "global",
            start=self.start,
            skip=self.skip,
            epochs=work.epochs(self.kind, self.epochs, self.usual_epochs),
            optimizer=work.optimizer(self.optimizer, lambda: self.usual_optimizer),
            teacher=self.teacher,
        )
