"""Pruning by TensorFlow Model Optimization Toolkit, for those who rely on it; `prune` is tkit's own.

Source: tensorflow.org/model_optimization/guide/pruning.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal

from pydantic import Field

from tkit.compression.step import Names, State, Step
from tkit.compression.steps.prune import RATE, Prune
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
        from tkit.compression.tfmot.fine_tuning import chosen_for_tfmot, refuse, tfmot
        from tkit.kernels.masks import sparsity_of

        tfmot()
        refuse(state, "tfmot_prune", "pruned", "clustered", "quantized")
        names = chosen_for_tfmot(state.model, self.skip, "tfmot_prune")
        from tkit.compression.tfmot.keras2 import back, twin

        model = back(self.trained(twin(state.model), names, work), state.model)
        pruned = {name: sparsity_of(model.get_layer(name)) for name in names}
        return State(model, state.kept.model_copy(update={"pruned": pruned}))

    def trained(self, model: Any, names: list[str], work: Workbench) -> Any:
        """A pruned tf_keras model, stripped of TFMOT's wrappers.

        Args:
            model: the dense twin; its layers are used.
            names: of the layers that are pruned.
            work: training images.
        """
        import tf_keras

        from tkit.compression.tfmot.fine_tuning import fit, tfmot
        from tkit.kernels.masks import FREQUENCY, RISE

        sparsity = tfmot().sparsity.keras
        epochs = work.epochs(self.kind, self.epochs, self.usual_epochs)
        last = max(1, int(epochs * work.steps_per_epoch * RISE))
        every = max(1, min(FREQUENCY, last // 10))
        schedule = sparsity.PolynomialDecay(0.0, self.sparsity, 0, last // every * every, frequency=every)

        def wrapped(layer: Any) -> Any:
            return sparsity.prune_low_magnitude(layer, schedule) if layer.name in names else layer

        masked = tf_keras.models.clone_model(model, clone_function=wrapped)
        callbacks = [sparsity.UpdatePruningStep()]
        fit(masked, work, epochs=epochs, optimizer=self.optimizer, callbacks=callbacks, label=self.label)
        return sparsity.strip_pruning(masked)
