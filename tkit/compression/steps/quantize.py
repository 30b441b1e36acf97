"""int8 quantization: weights and activations of a folded model, by calibration alone or with training on top.

Source: Jacob et al. 2018, "Quantization and Training of Neural Networks for Efficient Integer-Arithmetic-Only
Inference"; a scale a channel as in Krishnamoorthi 2018, "Quantizing deep convolutional networks for efficient
inference".
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


class Quantize(Step):
    """int8 weights and activations that the device computes with as they are; zeros and shared weights stay so.

    Batch normalization is folded away first, so the model has fewer layers than it had.
    """

    usual_epochs: ClassVar[int] = 3
    usual_optimizer: ClassVar[Optimizer] = AdamW(learning_rate=3e-4, weight_decay=0.0)
    kind: Literal["quantize"] = "quantize"
    mode: Literal["int8"] = "int8"
    """Weights and activations in 8 bits."""
    aware: bool = False
    """Whether training goes on with rounded weights and activations, which wins back what rounding costs."""
    calibration: Literal["minmax", "percentile", "mse"] = "mse"
    """Activation ranges from the calibration images: all values, all but 0.01 %, or the least square error."""
    samples: int = Field(500, ge=1)
    """Training images, stratified by class, that activations are observed on."""
    epochs: int | None = Field(None, ge=1)
    """Epochs of training, where `aware`; null: 3, more where the set is small."""
    optimizer: Annotated[Optimizer, OneOf("tkit.training.optimizers")] | None = None
    """Of that training; it begins at what the weights were trained to, so its steps are small. null: AdamW at 0.0003;
    against a discriminator the run's own."""
    teacher: str | None = None
    """Of that training: a run whose logits are nine tenths of the loss, or `self`, the model as it was."""
    float_layers: Names = ()
    """Layers that compute in float, by name; as text `one+another`. What they take and give is int8."""
    strict: bool = False
    """Whether a layer that int8 has no rule for is refused; else it computes in float, which is said."""
    int4: Names = ()
    """Layers whose weights have 4 bits, half the bytes, by name or kind; as text `one+another` or `conv2d+dense`."""

    @property
    def label(self) -> str:
        """`int8` or `int8-qat`, with weights in 4 bits `int4` or `int4-qat`."""
        return ("int4" if self.int4 else "int8") + ("-qat" if self.aware else "")

    def check(self, model: keras.Model, work: Workbench) -> None:
        """Raises InputError where int8 has no rule for a layer, if `strict`; where calibration has too few images."""
        from tkit.compression import quantization

        quantization.check(model, work, samples=self.samples, float_layers=self.float_layers, strict=self.strict)

    def apply(self, state: State, work: Workbench) -> State:
        """The folded model with weights that are int8 codes times scales, and the ranges of its activations.

        Raises:
            InputError: an unknown name among `float_layers`; fewer calibration images than classes.
        """
        from tkit.compression import quantization

        return quantization.quantize(
            state,
            work,
            method=self.calibration,
            samples=self.samples,
            float_layers=self.float_layers,
            int4=self.int4,
            epochs=work.epochs(self.kind, self.epochs, self.usual_epochs) if self.aware else None,
            optimizer=work.optimizer(self.optimizer, lambda: self.usual_optimizer),
            teacher=self.teacher,
        )
