"""Quantization-aware training by TensorFlow Model Optimization Toolkit; `quantize:aware=true` is tkit's own.

Source: tensorflow.org/model_optimization/guide/quantization/training and guide/combine/collaborative_optimization.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, ClassVar, Literal

from pydantic import Field

from tkit.compression.step import Step
from tkit.compression.steps.quantize import Quantize
from tkit.promises import State
from tkit.training.optimizers import Optimizer
from tkit_pipelines.config import OneOf

if TYPE_CHECKING:
    from tkit.compression.workbench import Workbench


class TfmotQuantize(Step):
    """int8 weights and activations as TFMOT's fake quantization trains them; zeros and shared weights stay so.

    The weights are TFMOT's codes times its scales, and the ranges those that its quantizers saw; tensors that it has
    none for (of a rescaling) are calibrated. TFMOT gives each channel of shared weights a scale of its own, so that
    they are more codes than they were values. `tkit.compression.tfmot.int8.tflite` gives TFMOT's own file of the same
    training.
    """

    usual_epochs: ClassVar[int] = Quantize.usual_epochs
    kind: Literal["tfmot_quantize"] = "tfmot_quantize"
    samples: int = Field(Quantize().samples, ge=1)
    """Training images that those tensors are observed on."""
    epochs: int | None = Field(None, ge=1)
    """Passes over the training split; null: 3, more where the set is small."""
    optimizer: Annotated[Optimizer, OneOf("tkit.training.optimizers")] = Quantize.usual_optimizer
    """Of the training: `sgd` or `adamw`."""

    @property
    def label(self) -> str:
        """`tfmot-int8`."""
        return "tfmot-int8"

    def apply(self, state: State, work: Workbench) -> State:
        """Batch normalization is folded away after, so the model has fewer layers than it had."""
        from tkit.compression.tfmot import quantization

        return quantization.quantize(
            state,
            work,
            samples=self.samples,
            epochs=work.epochs(self.kind, self.epochs, self.usual_epochs),
            optimizer=self.optimizer,
            label=self.label,
        )
