"""Weight sharing: fine-tuning of kernels whose weights are a few centroids, times a scale a channel."""

from __future__ import annotations

from collections.abc import Sequence

from tkit.compressible.clustered import clustered
from tkit.compressible.schedule import ScheduleOfCopy
from tkit.compressible.stripping import stripped
from tkit.compression.distillation import Distillation
from tkit.compression.workbench import Workbench
from tkit.kernels.centroids import Start
from tkit.promises import State
from tkit.training.optimizers import Optimizer


def cluster(
    state: State,
    work: Workbench,
    *,
    clusters: int,
    together: bool,
    start: Start,
    skip: Sequence[str],
    epochs: int,
    optimizer: Optimizer,
    teacher: str | None,
) -> State:
    """The clustered and fine-tuned model. Batch normalization is folded in first: it would scale shared values apart.

    Args:
        state: it isn't changed.
        work: training images and the engine.
        clusters: distinct values of a kernel, at most.
        together: whether all kernels have the same values.
        start: where k-means begins.
        skip: layers that stay as they are, by name or kind.
        epochs: of the fine-tuning.
        optimizer: of the fine-tuning.
        teacher: the run to distil from.

    Raises:
        InputError: as `clusterable_layers`.
    """
    shared = clustered(state, clusters=clusters, together=together, start=start, skip=skip, seed=work.seed)
    work.train(
        shared,
        epochs=epochs,
        optimizer=optimizer,
        callbacks=[ScheduleOfCopy(shared)],
        objective=Distillation(teacher, state.model, work) if teacher else None,
    )
    return stripped(shared)
