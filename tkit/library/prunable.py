"""Pruning in a training loop of one's own."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

import keras

from tkit._quiet import silenced
from tkit.compressible.opening import opened, trainable
from tkit.compressible.pruned import pruned
from tkit.compression.steps.prune import Prune
from tkit.library._settings import validated

_DEFAULT = Prune()


@silenced()
def prunable(
    model: keras.Model,
    sparsity: float = _DEFAULT.sparsity,
    *,
    steps: int | None = None,
    schedule: Literal["polynomial", "constant"] = _DEFAULT.schedule,
    scope: Literal["layer", "global"] = _DEFAULT.scope,
    pattern: str | None = None,
    block: tuple[int, int] = _DEFAULT.block,
    skip: Sequence[str] = (),
) -> keras.Model:
    """A model whose smallest weights become 0 while it is trained; compile and fit it with `tkit.Schedule()`.

    Args:
        model: functional or Sequential, trained, of any task; or what `prunable`, `clusterable` or `quantize_aware`
            returned, trained: its promises are kept. It isn't changed, nor is its compilation.
        sparsity: share of each kernel's weights that become 0.
        steps: of training over which sparsity rises (over the first half of them); None: of one `fit`.
        schedule: `polynomial`: sparsity rises, fast at first; `constant`: all at once.
        scope: `layer`: each kernel has this share of zeros; `global`: all kernels together, by LAMP scores.
        pattern: N:M, such as "2:4": at most N of M neighbouring inputs of a filter stay; instead of `sparsity`.
        block: inputs x outputs that become 0 together.
        skip: layers that stay as they are, by name or by kind such as "dense".

    Returns:
        An uncompiled `keras.Model` in the precision of `model`, that trains, saves and loads like any other.

    Raises:
        InputError: no model whose graph is known, or settings that fit no layer.

    Source: Zhu and Gupta 2017, "To prune, or not to prune".

    Example:
        >>> model = tkit.prunable(model, sparsity=0.75)
        >>> model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
        >>> model.fit(x, y, epochs=5, callbacks=[tkit.Schedule()])
        >>> tkit.strip(model).save("pruned.keras")
    """
    settings: dict[str, Any] = {"sparsity": sparsity, "schedule": schedule, "scope": scope, "pattern": pattern}
    step = validated(Prune, "prunable", **settings, block=block, skip=skip)
    gradual = step.schedule == "polynomial"
    return trainable(pruned(opened(model), step.masks, skip=step.skip, gradual=gradual, steps=steps), model)
