"""Weight sharing: each kernel gets a few distinct values, which compress well and live in the int8 code domain.

Source: Han et al. 2016, "Deep compression". Values are shared after each weight is divided by its output channel's
largest: per-channel quantization multiplies by that, so that k values are at most k distinct int8 codes in the file.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field

from tkit.compress import State, Step
from tkit.fit.optimizers import Optimizer
from tkit.fit.optimizers.adamw import AdamW
from tkit_edge.errors import InputError
from tkit_pipelines.config import OneOf

if TYPE_CHECKING:
    from tkit.compress._work import Work


class Cluster(Step):
    """Has each kernel's weights share `clusters` values, and fine-tunes values and assignments."""

    kind: Literal["cluster"] = "cluster"
    clusters: int = Field(16, ge=2, le=256)
    """Distinct values of a kernel, the 0 of pruned weights among them."""
    start: Literal["kmeans++", "density", "linear"] = "kmeans++"
    """Where k-means begins: `kmeans++`, at equal shares of the weights (`density`), at equal distances (`linear`)."""
    skip: tuple[str, ...] = ()
    """Layers that stay as they are, by name or by kind (`dense`, `depthwiseconv2d`)."""
    epochs: int = Field(5, ge=1)
    """Passes over the training split."""
    optimizer: Annotated[Optimizer, OneOf("tkit.fit.optimizers")] = AdamW(learning_rate=5e-4, weight_decay=0)
    """Of the fine-tuning."""
    teacher: str | None = None
    """A run whose logits are nine tenths of the loss, or `self`, the model as it was before all compression."""

    @property
    def label(self) -> str:
        """Such as `cluster-16`."""
        return f"cluster-{self.clusters}"

    def apply(self, state: State, work: Work) -> State:
        """Batch normalization is folded in first: it would scale shared values apart."""
        from tkit.compress import _kernels
        from tkit.compress._centroids import clusters_of, kmeans
        from tkit.compress._choose import chosen
        from tkit.compress._fold import fold
        from tkit.compress._teaching import Lesson

        lesson = Lesson(self.teacher, state.model, work) if self.teacher else None
        model = fold(state.model)
        layers = chosen(model, self.skip, "cluster")
        for layer in layers:
            if layer.kernel.shape.num_elements() < self.clusters:
                raise InputError(
                    f"cluster: {layer.name!r} has {layer.kernel.shape.num_elements()} weights, fewer than the "
                    f"{self.clusters} clusters asked for. Ask for fewer, or add it to skip."
                )
        names = [layer.name for layer in layers]
        views: dict[str, list] = {name: [("masked", {})] for name in state.kept.pruned}
        for name in names:
            views.setdefault(name, []).append(("clustered", {"clusters": self.clusters}))
        clustered = _kernels.view(model, views)
        for layer in layers:
            kernel = layer.kernel.numpy()
            shape = _kernels.scale_shape(layer, kernel.shape)
            scales = _kernels.LARGEST_CODE * _kernels.code_scales(kernel, shape).numpy()
            zero = layer.name in state.kept.pruned
            centroids = kmeans((kernel / scales).ravel(), self.clusters, self.start, zero=zero, seed=work.seed)
            shared = clustered.get_layer(layer.name).views["clustered"]
            shared.scales.assign(scales)
            shared.centroids.assign(centroids)
        work.train(clustered, epochs=self.epochs, optimizer=self.optimizer, objective=lesson)
        found = {name: clusters_of(clustered.get_layer(name)) for name in names}
        kept = state.kept.model_copy(update={"clustered": {**state.kept.clustered, **found}})
        return State(_kernels.stock(clustered), kept)
