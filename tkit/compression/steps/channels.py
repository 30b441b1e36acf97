"""Channel pruning: the least important filters are taken out whole, and a smaller dense network is left.

Sources: Molchanov et al. 2019, "Importance Estimation for Neural Network Pruning" (taylor); Li et al. 2017, "Pruning
Filters for Efficient ConvNets" (l1); Liu et al. 2017, "Learning Efficient Convolutional Networks through Network
Slimming" (bn_scale). Widths are chosen by measured latency: multiply-accumulates say little about it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, ClassVar, Literal

from pydantic import Field

from tkit.compression.step import Step
from tkit.promises import State
from tkit.training.optimizers import Optimizer
from tkit_pipelines.config import OneOf

if TYPE_CHECKING:
    from tkit.compression.workbench import Workbench


class Channels(Step):
    """Narrows the network until its int8 file is so much faster here, one thread, and trains what is left."""

    usual_epochs: ClassVar[int] = 20
    kind: Literal["channels"] = "channels"
    speedup: float = Field(1.5, gt=1)
    """How many times faster the int8 file is to be."""
    ranking: Literal["taylor", "l1", "bn_scale"] = "taylor"
    """How channels are ranked: by the loss's change, the kernels' magnitude, or batch normalization's scale."""
    samples: int = Field(2000, ge=1)
    """Training images that `taylor` looks at."""
    widths: dict[str, int] | None = None
    """Channels left of each group, by its first layer, in the place of `speedup`; null: found by measuring."""
    epochs: int | None = Field(None, ge=1)
    """Passes over the training split; null: 20, more where the set is small."""
    optimizer: Annotated[Optimizer, OneOf("tkit.training.optimizers")] | None = None
    """Of the training; null: SGD at 0.2, or AdamW where batch normalization doesn't follow nearly all kernels; against
    a discriminator the run's own."""
    as_run: bool = False
    """Whether training has the run's own optimizer, schedule and lookahead, which suits a long one."""

    @property
    def label(self) -> str:
        """Such as `channels-1.5x`."""
        return f"channels-{self.speedup:g}x" if self.widths is None else "channels"

    def apply(self, state: State, work: Workbench) -> State:
        """A smaller model of the same layers; the widths that were measured for are remembered where it resumes."""
        from tkit.compression.channels import pruning

        return pruning.prune_channels(
            state,
            work,
            speedup=self.speedup,
            widths=self.widths,
            by=self.ranking,
            samples=self.samples,
            epochs=work.epochs(self.kind, self.epochs, self.usual_epochs),
            optimizer=self.optimizer,
            as_run=self.as_run,
        )
