"""Distillation: the model learns the outputs of a larger one, its teacher (Hinton et al. 2015).

Source: Hinton et al. 2015, "Distilling the knowledge in a neural network". The teacher sees the very same augmented
images (Beyer et al. 2022, "Knowledge distillation: a good teacher is patient and consistent"). Features: Tung and
Mori 2019, "Similarity-preserving knowledge distillation", which needs no layers of its own between two widths.
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


class Distil(Step):
    """Trains on with the logits of a teacher, and with its features.

    A teacher is another run on the same classes, or the model itself as it was before it was pruned or narrowed.
    """

    usual_epochs: ClassVar[int] = 20
    kind: Literal["distil"] = "distil"
    teacher: str | None = None
    """The teacher's run folder; null: the model as it was trained, before it was compressed."""
    temperature: float = Field(4.0, gt=0)
    """Divides both logits: the higher, the more the unlikely classes tell."""
    weight: float = Field(0.9, gt=0, le=1)
    """The teacher's share of the loss; the labels have the rest."""
    features: float = Field(0.0, ge=0)
    """Weight of the features' loss: images that are alike to the teacher are to be alike to the student. The features
    are what the last layer with weights gets, before it is pooled; the paper's weight is about 20."""
    epochs: int | None = Field(None, ge=1)
    """Passes over the training split; null: 20, more where the set is small."""
    optimizer: Annotated[Optimizer, OneOf("tkit.training.optimizers")] | None = None
    """Of the training; null: SGD at 0.2, or AdamW where batch normalization doesn't follow nearly all kernels."""
    as_run: bool = False
    """Whether training has the run's own optimizer, schedule and lookahead, which suits a long one."""

    @property
    def label(self) -> str:
        """`distil`."""
        return "distil"

    def apply(self, state: State, work: Workbench) -> State:
        """Zeros stay zeros; shared and quantized weights would not stay so."""
        from tkit.compression import distillation

        return distillation.distil(
            state,
            work,
            teacher=self.teacher,
            temperature=self.temperature,
            weight=self.weight,
            features=self.features,
            epochs=work.epochs(self.kind, self.epochs, self.usual_epochs),
            optimizer=self.optimizer,
            as_run=self.as_run,
        )
