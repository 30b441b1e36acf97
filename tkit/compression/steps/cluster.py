"""Weight sharing: each kernel gets a few distinct values, which compress well and live in the int8 code domain.

Source: Han et al. 2016, "Deep compression". Values are shared after each weight is divided by its output channel's
largest: per-channel quantization multiplies by that, so that k values are at most k distinct int8 codes in the file.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, ClassVar, Literal

import numpy as np
from pydantic import Field

from tkit.compression.step import Names, State, Step
from tkit.training.optimizers import Optimizer
from tkit.training.optimizers.adamw import AdamW
from tkit_edge.errors import InputError
from tkit_pipelines.config import OneOf

if TYPE_CHECKING:
    import keras

    from tkit.compression.workbench import Workbench


class Cluster(Step):
    """Has each kernel's weights share `clusters` values, and fine-tunes values and assignments."""

    usual_epochs: ClassVar[int] = 5
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
    optimizer: Annotated[Optimizer, OneOf("tkit.training.optimizers")] = AdamW(learning_rate=1e-3, weight_decay=0)
    """Of the fine-tuning."""
    teacher: str | None = None
    """A run whose logits are nine tenths of the loss, or `self`, the model as it was before all compression."""

    @property
    def label(self) -> str:
        """Such as `cluster-16`."""
        return f"cluster-{self.clusters}"

    def check(self, model: keras.Model, work: Workbench) -> None:
        """Raises InputError where no kernel has two weights to share, or `skip` names what isn't there."""
        from tkit.passes.folding import fold

        self._layers(fold(model))

    def apply(self, state: State, work: Workbench) -> State:
        """Batch normalization is folded in first: it would scale shared values apart."""
        from tkit.compression.distillation import Distillation
        from tkit.compression.selection import say_what_stays
        from tkit.kernels.centroids import channel_scales, clusters_of, codebook, kmeans
        from tkit.kernels.viewed import Recentre, scale_shape, stock, view
        from tkit.passes.folding import fold

        distillation = Distillation(self.teacher, state.model, work) if self.teacher else None
        model = fold(state.model)
        layers = self._layers(model)
        say_what_stays(model, layers, "cluster")
        together = self.scope == "global"
        kernels = [layer.kernel.numpy() for layer in layers]
        zeros = [layer.name in state.kept.pruned for layer in layers]
        shapes = [scale_shape(layer, layer.kernel.shape) for layer in layers]
        if together:
            centroids, scales = codebook(kernels, shapes, self.clusters, self.start, zero=any(zeros), seed=work.seed)
            found = [centroids] * len(layers)
        else:
            scales = [channel_scales(*pair) for pair in zip(kernels, shapes, strict=True)]
            found = [
                kmeans((kernel / scale).ravel(), self.clusters, self.start, zero=zero, seed=work.seed)
                for kernel, scale, zero in zip(kernels, scales, zeros, strict=True)
            ]
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
            epochs=work.epochs(self.kind, self.epochs, self.usual_epochs),
            optimizer=self.optimizer,
            callbacks=[Recentre([layer.name for layer in layers])],
            objective=distillation,
        )
        made = {layer.name: clusters_of(clustered.get_layer(layer.name)) for layer in layers}
        kept = state.kept.model_copy(update={"clustered": {**state.kept.clustered, **made}})
        return State(stock(clustered), kept)

    def _layers(self, folded: keras.Model) -> list[keras.layers.Layer]:
        from tkit.compression.selection import chosen

        candidates = chosen(folded, self.skip, "cluster")
        layers = [layer for layer in candidates if np.ptp(layer.kernel.numpy()) > 0]
        if not layers:
            raise InputError(f"cluster: all weights of {candidates[0].name!r} are equal: there is nothing to share.")
        return layers
