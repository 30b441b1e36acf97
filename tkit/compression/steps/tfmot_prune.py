"""Pruning by TensorFlow Model Optimization Toolkit, for those who rely on it; `prune` is tkit's own.

Source: tensorflow.org/model_optimization/guide/pruning.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, ClassVar, Literal

from pydantic import Field

from tkit.compression.step import Names, Step
from tkit.compression.steps.prune import RATE, Prune
from tkit.promises import State
from tkit.training.optimizers import Optimizer
from tkit.training.optimizers.sgd import SGD
from tkit_pipelines.config import OneOf

if TYPE_CHECKING:
    from tkit.compression.workbench import Workbench


class TfmotPrune(Step):
    """Sets a share of each kernel's weights to 0 with `prune_low_magnitude`; the share rises as in `prune`."""

    usual_epochs: ClassVar[int] = Prune.usual_epochs
    kind: Literal["tfmot_prune"] = "tfmot_prune"
    sparsity: float = Field(Prune().sparsity, gt=0, lt=1)
    """Share of the weights that become 0."""
    skip: Names = ()
    """Layers that stay as they are, by name or by kind; as text `one+another` or `dense+depthwiseconv2d`."""
    epochs: int | None = Field(None, ge=1)
    """Passes over the training split; null: 10, more where the set is small."""
    optimizer: Annotated[Optimizer, OneOf("tkit.training.optimizers")] = SGD(learning_rate=RATE)
    """Of the fine-tuning: `sgd` or `adamw`."""

    @property
    def label(self) -> str:
        """Such as `tfmot-prune-0.5`."""
        return f"tfmot-prune-{self.sparsity:g}"

    def apply(self, state: State, work: Workbench) -> State:
        """The model must be dense: TFMOT would train zeros away."""
        from tkit.compression.tfmot import pruning

        return pruning.prune(
            state,
            work,
            sparsity=self.sparsity,
            skip=self.skip,
            epochs=work.epochs(self.kind, self.epochs, self.usual_epochs),
            optimizer=self.optimizer,
            label=self.label,
        )
