"""Pruning: the smallest weights of each kernel become 0 while training goes on.

Source: Zhu and Gupta 2017, "To prune, or not to prune" (the cubic schedule); Lee et al. 2021, "Layer-adaptive sparsity
for the magnitude-based pruning" (the global threshold's score); Mishra et al. 2021, "Accelerating sparse deep neural
networks" (N:M).
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal

from pydantic import Field, field_validator, model_validator

from tkit.compression.step import Names, Step
from tkit.promises import State
from tkit.training.optimizers import Optimizer
from tkit_pipelines.config import OneOf

if TYPE_CHECKING:
    import keras

    from tkit.compression.workbench import Workbench
    from tkit.kernels.masks import Masks

RATE = 0.1
"""Peak learning rate of SGD, where the network bears it."""


class Prune(Step):
    """Sets a share of each kernel's weights to 0, by magnitude, and fine-tunes the rest."""

    usual_epochs: ClassVar[int] = 10
    kind: Literal["prune"] = "prune"
    sparsity: float = Field(0.5, gt=0, lt=1)
    """Share of the weights that become 0."""
    schedule: Literal["polynomial", "constant"] = "polynomial"
    """`polynomial`: the share rises over the first half of fine-tuning, fast at first; `constant`: all at once."""
    scope: Literal["layer", "global"] = "layer"
    """`layer`: each kernel has this share of zeros; `global`: all kernels together, by LAMP scores."""
    pattern: str | None = None
    """N:M, such as `2:4`: at most N of M neighbouring inputs of a filter stay; in the place of `sparsity`."""
    block: tuple[int, int] = (1, 1)
    """Inputs x outputs that become 0 together, by their mean magnitude; as text `4x1`."""
    skip: Names = ()
    """Layers that stay as they are, by name or by kind; as text `one+another` or `dense+depthwiseconv2d`."""
    epochs: int | None = Field(None, ge=1)
    """Passes over the training split; null: 10, more where the set is small."""
    optimizer: Annotated[Optimizer, OneOf("tkit.training.optimizers")] | None = None
    """Of the fine-tuning; null: SGD at 0.1, or AdamW where batch normalization doesn't follow nearly all kernels;
    against a discriminator the run's own."""
    teacher: str | None = None
    """A run whose logits are nine tenths of the loss, or `self`, the model as it was before all compression."""

    @field_validator("block", mode="before")
    @classmethod
    def _sizes(cls, block: Any) -> Any:
        return tuple(block.split("x")) if isinstance(block, str) else block

    @field_validator("block")
    @classmethod
    def _positive(cls, block: tuple[int, int]) -> tuple[int, int]:
        if min(block) < 1:
            raise ValueError("expected two sizes of at least 1")
        return block

    @model_validator(mode="after")
    def _pattern_alone(self) -> Prune:
        if self.pattern is None:
            return self
        found = re.fullmatch(r"(\d+):(\d+)", self.pattern)
        if found is None or not 0 < int(found[1]) < int(found[2]):
            raise ValueError("pattern: expected N:M with 0 < N < M, such as 2:4")
        if self.block != (1, 1) or self.scope != "layer":
            raise ValueError("pattern: expected block=1,1 and scope=layer with it")
        return self

    @property
    def label(self) -> str:
        """Such as `prune-0.5` or `prune-2of4`."""
        return f"prune-{self.sparsity:g}" if self.pattern is None else f"prune-{self.pattern.replace(':', 'of')}"

    def check(self, model: keras.Model, work: Workbench) -> None:
        """Raises InputError where no kernel can be pruned so, or `skip` names a layer that isn't there."""
        from tkit.compressible.pruned import prunable_layers

        prunable_layers(model, self.masks, self.skip)

    def apply(self, state: State, work: Workbench) -> State:
        """Masked fine-tuning; zeros of before stay zeros."""
        from tkit.compression import pruning

        return pruning.prune(
            state,
            work,
            self.masks,
            skip=self.skip,
            gradual=self.schedule == "polynomial",
            rate=RATE,
            epochs=work.epochs(self.kind, self.epochs, self.usual_epochs),
            optimizer=self.optimizer,
            teacher=self.teacher,
        )

    @property
    def masks(self) -> Masks:
        """The rule for its masks."""
        from tkit.kernels.masks import Masks

        kept, _, of = (self.pattern or "").partition(":")
        return Masks(self.sparsity, (int(kept), int(of)) if of else None, self.block, self.scope == "global")
