"""Quantization-aware training by TensorFlow Model Optimization Toolkit; `quantize:aware=true` is tkit's own.

Source: tensorflow.org/model_optimization/guide/quantization/training and guide/combine/collaborative_optimization.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal

from pydantic import Field

from tkit.compression.step import State, Step
from tkit.compression.steps.quantize import Quantize
from tkit.training.optimizers import Optimizer
from tkit_edge.errors import InputError
from tkit_pipelines.config import OneOf

if TYPE_CHECKING:
    from tkit.compression.workbench import Workbench


class TfmotQuantize(Step):
    """int8 weights and activations as TFMOT's fake quantization trains them; zeros and shared weights stay so.

    The weights are TFMOT's codes times its scales, and the ranges those that its quantizers saw; tensors that it has
    none for (of a rescaling) are calibrated. TFMOT gives each channel of shared weights a scale of its own, so that
    they are more codes than they were values. `_tfmot_int8.tflite` gives TFMOT's own file of the same training.
    """

    usual_epochs: ClassVar[int] = Quantize.usual_epochs
    kind: Literal["tfmot_quantize"] = "tfmot_quantize"
    samples: int = Field(Quantize().samples, ge=1)
    """Training images that those tensors are observed on."""
    epochs: int | None = Field(None, ge=1)
    """Passes over the training split; null: 3, more where the set is small."""
    optimizer: Annotated[Optimizer, OneOf("tkit.training.optimizers")] = Quantize().optimizer
    """Of the training: `sgd` or `adamw`."""

    @property
    def label(self) -> str:
        """`tfmot-int8`."""
        return "tfmot-int8"

    def apply(self, state: State, work: Workbench) -> State:
        """Batch normalization is folded away after, so the model has fewer layers than it had."""
        import keras

        from tkit.compression.tfmot.fine_tuning import refuse, tfmot
        from tkit.passes.folding import fold
        from tkit.passes.unfolding import unfold
        from tkit.quantization.ranges import ranges

        tfmot()
        refuse(state, "tfmot_quantize", "quantized")
        for name in (*state.kept.pruned, *state.kept.clustered):
            if isinstance(state.model.get_layer(name), keras.layers.DepthwiseConv2D):
                raise InputError(
                    f"tfmot_quantize: {name!r} is pruned or clustered, and TFMOT would undo that: it preserves zeros "
                    "and shared weights of Conv2D and Dense only. Add it to the skip of that step."
                )
        from tkit.compression.tfmot.int8 import clusters, read
        from tkit.compression.tfmot.keras2 import twin

        calibrated = ranges(fold(state.model), work.calibration(self.samples), "minmax")
        unfolded = unfold(state.model, state.kept.clustered)
        pruned, clustered = bool(state.kept.pruned), bool(state.kept.clustered)
        made = self.trained(twin(unfolded), work, pruned=pruned, clustered=clustered)
        model, quantized = read(made, unfolded, calibrated)
        shared = {name: clusters(model.get_layer(name), quantized.scales[name]) for name in state.kept.clustered}
        return State(model, state.kept.model_copy(update={"clustered": shared, "quantized": quantized}))

    def trained(self, model: Any, work: Workbench, *, pruned: bool = False, clustered: bool = False) -> Any:
        """A trained quantization-aware tf_keras model.

        Args:
            model: a twin, or what `trained` of the other steps of TFMOT gave.
            work: training images.
            pruned: whether zeros stay.
            clustered: whether weights that are equal stay equal.
        """
        from tkit.compression.tfmot.fine_tuning import fit
        from tkit.compression.tfmot.int8 import aware

        made = aware(model, pruned=pruned, clustered=clustered)
        fit(
            made,
            work,
            epochs=work.epochs(self.kind, self.epochs, self.usual_epochs),
            optimizer=self.optimizer,
            label=self.label,
        )
        return made
