"""Channel pruning: the least important filters removed, and what is left trained."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Literal

import keras
import numpy as np
import tensorflow as tf

from tkit import console
from tkit.compression.channels import ranking
from tkit.compression.channels.latency import choose, kept
from tkit.compression.channels.narrowing import narrow
from tkit.compression.default_optimizer import default_optimizer
from tkit.compression.workbench import Workbench
from tkit.graph import one_or_all
from tkit.kernels.viewed import kernel_of, with_kernels
from tkit.promises import State
from tkit.training.optimizers import Optimizer
from tkit_edge.errors import InputError
from tkit_edge.outputs.classes import Classes

RANKED_AT_ONCE = 64
"""Images of one batch that taylor's gradients are taken of."""
RATE = 0.2
"""Peak learning rate of SGD, where that is the default optimizer."""
Ranking = Literal["taylor", "l1", "bn_scale"]


def prune_channels(
    state: State,
    work: Workbench,
    *,
    speedup: float,
    widths: Mapping[str, int] | None,
    by: Ranking,
    samples: int,
    epochs: int,
    optimizer: Optimizer | None,
    as_run: bool,
) -> State:
    """A narrower model of the same layers, trained; the widths that were measured for are remembered if it resumes.

    Args:
        state: it isn't changed.
        work: training images and the engine.
        speedup: how many times faster the int8 file is to be.
        widths: channels left of each group, instead of `speedup`.
        by: how channels are ranked.
        samples: training images that `taylor` looks at.
        epochs: of the training.
        optimizer: of the training; None for the default.
        as_run: whether training has the run's own optimizer, schedule and lookahead.

    Raises:
        InputError: the model is pruned, clustered or quantized, or the widths can't be.
    """
    check_dense(state)
    importance = _importance(state.model, work, by, samples)
    if widths is None:
        widths = work.remember("widths", lambda: measured(state.model, importance, speedup))
    made = narrowed(state, importance, widths)
    chosen = None if as_run else work.optimizer(optimizer, lambda: default_optimizer(made.model, RATE))
    work.train(made.model, epochs=epochs, optimizer=chosen, l2=work.fit.l2)
    return made


def check_dense(state: State) -> None:
    """Raises InputError for a model whose weights hold promises that narrowing would break."""
    if state.kept.pruned or state.kept.clustered or state.kept.quantized:
        raise InputError("channels: the model is pruned, clustered or quantized already. Put channels before.")


def measured(model: keras.Model, importance: ranking.Importance, speedup: float) -> dict[str, int]:
    """The widths at which the model's int8 file is `speedup` times as fast; raises like `latency.choose`."""
    choice = choose(model, importance, speedup)
    console.say(f"channels: {choice.timing.ratio:.2f} times as fast: {_listed(choice.widths)}")
    return dict(choice.widths)


def narrowed(state: State, importance: ranking.Importance, widths: Mapping[str, int]) -> State:
    """A smaller model of the same layers, with the most important channels of each group that `widths` names.

    Raises:
        InputError: an unknown group or an impossible width.
    """
    model = narrow(state.model, kept(importance, widths))
    shapes = {layer.name: tuple(kernel_of(layer).shape) for layer in with_kernels(model)}
    return State(model, state.kept.model_copy(update={"shapes": shapes}))


def _importance(model: keras.Model, work: Workbench, by: Ranking, samples: int) -> dict[str, np.ndarray]:
    if by != "taylor":
        return {"l1": ranking.l1, "bn_scale": ranking.bn_scale}[by](model)
    chosen, output = work.chosen(samples), work.contract.output
    inputs = work.inputs(chosen)
    loss: Callable[[Any, Any], Any]
    if work.companion is not None:
        loss = _Deception(work.companion())
        targets = inputs.get("label", np.zeros(len(chosen), np.int32))
    elif isinstance(output, Classes):  # of the labels as they are, without smoothing
        loss = keras.losses.SparseCategoricalCrossentropy(from_logits=not output.saturated)
        targets = chosen.labels
    else:
        loss = work.contract.loss()
        targets = work.contract.encoded(work.targets(chosen))
    return ranking.taylor(model, inputs, targets, loss, batch_size=RANKED_AT_ONCE)


class _Deception:
    """How well a discriminator recognizes a batch of a generator's outputs, in the place of a loss: minus its logits.

    Args:
        discriminator: takes images, and labels where there are classes.
    """

    def __init__(self, discriminator: keras.Model) -> None:
        self.discriminator = discriminator

    def __call__(self, labels: tf.Tensor, images: tf.Tensor) -> tf.Tensor:
        """The batch's mean."""
        given = [images, labels][: len(self.discriminator.inputs)]
        return -tf.reduce_mean(self.discriminator(one_or_all(given), training=False))


def _listed(widths: Mapping[str, int]) -> str:
    return ", ".join(f"{name} {width}" for name, width in widths.items())
