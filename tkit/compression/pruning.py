"""Pruning: masked fine-tuning in which the smallest weights of each kernel become 0."""

from __future__ import annotations

from collections.abc import Sequence

import keras

from tkit import console
from tkit.compression.default_optimizer import default_optimizer
from tkit.compression.distillation import Distillation
from tkit.compression.selection import chosen, say_what_stays
from tkit.compression.step import State
from tkit.compression.workbench import Workbench
from tkit.kernels.masks import Masks, MaskSchedule, sparsity_of
from tkit.kernels.viewed import kernel_of, stock, view
from tkit.training.optimizers import Optimizer
from tkit_edge.errors import InputError


def prune(
    state: State,
    work: Workbench,
    masks: Masks,
    *,
    skip: Sequence[str],
    gradual: bool,
    rate: float,
    epochs: int,
    optimizer: Optimizer | None,
    teacher: str | None,
) -> State:
    """The pruned and fine-tuned model; what was 0 before stays 0.

    Args:
        state: it isn't changed.
        work: training images and the engine.
        masks: which weights.
        skip: layers that stay as they are, by name or kind.
        gradual: whether sparsity rises, or is all there from the start.
        rate: peak learning rate of SGD, where that is the default optimizer.
        epochs: of the fine-tuning.
        optimizer: of the fine-tuning; None for the default.
        teacher: the run to distil from.

    Raises:
        InputError: as `prunable`.
    """
    layers = prunable(state.model, masks, skip)
    names = [layer.name for layer in layers]
    say_what_stays(state.model, layers, "prune")
    dense = [layer.name for layer in chosen(state.model, skip, "prune") if layer.name not in names]
    if dense:
        console.say(f"prune: {masks.size} doesn't divide the kernels of {', '.join(dense)}: they stay dense")
    masked = view(state.model, {name: [("masked", {})] for name in dict.fromkeys([*state.kept.pruned, *names])})
    schedule = MaskSchedule(
        masks,
        {layer.name: kernel_of(layer).numpy() != 0 for layer in layers},
        total=epochs * work.steps_per_epoch,
        gradual=gradual,
    )
    work.train(
        masked,
        epochs=epochs,
        optimizer=work.optimizer(optimizer, lambda: default_optimizer(state.model, rate)),
        callbacks=[schedule],
        objective=Distillation(teacher, state.model, work) if teacher else None,
        l2=work.fit.l2,
    )
    model = stock(masked)
    pruned = {name: sparsity_of(model.get_layer(name)) for name in names}
    return State(model, state.kept.model_copy(update={"pruned": {**state.kept.pruned, **pruned}}))


def prunable(model: keras.Model, masks: Masks, skip: Sequence[str]) -> list[keras.layers.Layer]:
    """The layers whose kernels `masks` fit, less those that `skip` names.

    Raises:
        InputError: there are none, or `skip` names a layer that isn't there.
    """
    layers = [layer for layer in chosen(model, skip, "prune") if masks.fits(layer)]
    if not layers:
        raise InputError(f"prune: {masks.size} divides the kernel of no layer. Choose another size.")
    return layers
