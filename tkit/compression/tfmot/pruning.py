"""Pruning as TensorFlow Model Optimization Toolkit does it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from tkit.compression.tfmot.fine_tuning import chosen_for_tfmot, fit, refuse, tfmot
from tkit.compression.workbench import Workbench
from tkit.kernels.masks import FREQUENCY, RISE, sparsity_of
from tkit.promises import State
from tkit.training.optimizers import Optimizer


def prune(
    state: State,
    work: Workbench,
    *,
    sparsity: float,
    skip: Sequence[str],
    epochs: int,
    optimizer: Optimizer,
    label: str,
) -> State:
    """A pruned and fine-tuned copy of a dense model: TFMOT would train zeros away.

    Args:
        state: it isn't changed.
        work: training images.
        sparsity: share of the weights that become 0.
        skip: layers that stay as they are, by name or kind.
        epochs: of the fine-tuning.
        optimizer: SGD or AdamW.
        label: the step's, for progress.

    Raises:
        InputError: TFMOT isn't installed, or what it can't do is named.
    """
    tfmot()
    refuse(state, "tfmot_prune", "pruned", "clustered", "quantized")
    names = chosen_for_tfmot(state.model, skip, "tfmot_prune")
    from tkit.compression.tfmot.keras2 import back, twin

    masked = _masked(twin(state.model), names, sparsity, epochs * work.steps_per_epoch)
    callbacks = [tfmot().sparsity.keras.UpdatePruningStep()]
    fit(masked, work, epochs=epochs, optimizer=optimizer, callbacks=callbacks, label=label)
    model = back(tfmot().sparsity.keras.strip_pruning(masked), state.model)
    pruned = {name: sparsity_of(model.get_layer(name)) for name in names}
    return State(model, state.kept.model_copy(update={"pruned": pruned}))


def _masked(model: Any, names: Sequence[str], sparsity: float, steps: int) -> Any:
    """A tf_keras twin whose layers of these names have TFMOT's wrappers; the sparsity rises as in `prune`."""
    import tf_keras

    pruning = tfmot().sparsity.keras
    last = max(1, int(steps * RISE))
    every = max(1, min(FREQUENCY, last // 10))
    schedule = pruning.PolynomialDecay(0.0, sparsity, 0, last // every * every, frequency=every)

    def wrapped(layer: Any) -> Any:
        return pruning.prune_low_magnitude(layer, schedule) if layer.name in names else layer

    return tf_keras.models.clone_model(model, clone_function=wrapped)
