"""Pruning: masked fine-tuning in which the smallest weights of each kernel become 0."""

from __future__ import annotations

from collections.abc import Sequence

from tkit.compressible.pruned import pruned
from tkit.compressible.schedule import ScheduleOfCopy
from tkit.compressible.stripping import stripped
from tkit.compression.default_optimizer import default_optimizer
from tkit.compression.distillation import Distillation
from tkit.compression.workbench import Workbench
from tkit.kernels.masks import Masks
from tkit.promises import State
from tkit.training.optimizers import Optimizer


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
        InputError: as `prunable_layers`.
    """
    masked = pruned(state, masks, skip=skip, gradual=gradual)
    work.train(
        masked,
        epochs=epochs,
        optimizer=work.optimizer(optimizer, lambda: default_optimizer(state.model, rate)),
        callbacks=[ScheduleOfCopy(masked)],
        objective=Distillation(teacher, state.model, work) if teacher else None,
        l2=work.fit.l2,
    )
    return stripped(masked)
