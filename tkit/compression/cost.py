"""A step's accuracy cost, and retries at smaller learning rates where it is too high."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from tkit import console
from tkit.compression.batch_statistics import at_once
from tkit.compression.step import State, Step
from tkit.compression.workbench import Workbench
from tkit.conversion.calibration import stratified_places
from tkit.conversion.statistics import paired_drop
from tkit.quantization.graph import quantized
from tkit_edge.accuracy import top1
from tkit_edge.errors import DivergedError
from tkit_pipelines.dataset import Examples

ALLOWED = 0.02
"""Accuracy that a step may cost before smaller learning rates are tried."""
RATES = (1.0, 0.3, 0.1)
"""Factors of the learning rate in the attempts."""
JUDGED = 500
"""Images of the training and of the validation split that a step is judged on."""


def applied(step: Step, state: State, work: Callable[[int, float], Workbench]) -> tuple[State, float]:
    """The result of a step on `state`, and its cost: the cheapest of the attempts at smaller learning rates.

    Args:
        step: the compression step.
        state: the model before it.
        work: from an attempt's number and its factor of the learning rates, its workbench.

    Raises:
        DivergedError: every attempt diverged; the first one's error.
    """
    best: tuple[State, float] | None = None
    diverged: DivergedError | None = None
    reason = ""
    for attempt, rate in enumerate(RATES):
        if attempt:
            console.say(f"{step.label}: {reason}; tried again at {rate:g} times its learning rate")
        own = work(attempt, rate)
        try:
            made = step.apply(state, own)
        except DivergedError as error:
            diverged, reason = diverged or error, "its training diverged"
            continue
        lost = cost(state, made, own)
        reason = f"it costs {100 * lost:.1f} points of accuracy"
        if best is None or lost < best[1]:
            best = made, lost
        if lost <= ALLOWED or not own.repeatable:
            break
    if best is None:
        assert diverged is not None
        raise diverged
    return best


def cost(before: State, after: State, work: Workbench) -> float:
    """The share of images that are misclassified now and were right before.

    It is the share among the training images or, if larger, the lower end of the 95 % interval of the share among the
    validation images, which are often few.
    """
    drops = []
    for examples in (work.splits.train, work.splits.validation):
        judged = examples.take(stratified_places(examples, JUDGED, work.seed))
        drops.append(paired_drop(_right(before, judged), _right(after, judged)))
    (training, _), (_, validation) = drops
    return max(training, validation.low)


def _right(state: State, examples: Examples) -> np.ndarray:
    """Whether each image is classified correctly, bool [n]: by the float model, or with int8's rounding once it has
    that."""
    settings = state.kept.quantized
    model = state.model if settings is None else quantized(state.model, settings)
    parts = np.array_split(np.arange(len(examples)), math.ceil(len(examples) / at_once(examples.images)))
    outputs = [np.asarray(model(examples.images[part].astype(np.float32), training=False)) for part in parts]
    return top1(np.concatenate(outputs)) == examples.labels
