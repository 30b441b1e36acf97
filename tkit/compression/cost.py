"""A step's accuracy cost, and retries at smaller learning rates where it is too high."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from tkit import console
from tkit.arrays import count, fed, named, part
from tkit.compression.batch_statistics import at_once
from tkit.compression.step import Step
from tkit.compression.workbench import Workbench
from tkit.conversion.calibration import stratified_places
from tkit.promises import State
from tkit.quantization.graph import quantized
from tkit_edge.errors import DivergedError
from tkit_edge.tensors import Arrays

ALLOWED = 0.02
"""Accuracy that a step may cost before smaller learning rates are tried."""
RATES = (1.0, 0.3, 0.1)
"""Factors of the learning rate in the attempts."""
JUDGED = 500
"""Examples of the training and of the validation split that a step is judged on."""


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
        reason = f"it costs {own.scoring.measure.cost(lost)}"
        if best is None or lost < best[1]:
            best = made, lost
        if lost <= ALLOWED or not own.repeatable:
            break
    if best is None:
        assert diverged is not None
        raise diverged
    return best


def cost(before: State, after: State, work: Workbench) -> float:
    """How much worse the model's score is: the drop in accuracy, or the rise of errors or of a distance.

    It is the drop among the training examples or, if larger, the lower end of the 95 % interval of the drop among the
    validation examples, which are often few. A model without targets is compared with itself: the share of examples
    that it has other answers for.
    """
    drops = []
    for examples in (work.splits.train, work.splits.validation):
        judged = examples.take(stratified_places(examples, JUDGED, work.seed))
        was, now = (_outputs(state, work.inputs(judged), work) for state in (before, after))
        drops.append(work.scoring.drop(was, now, work.targets(judged)))
    (training, _), (_, validation) = drops
    return max(training, validation.low)


def _outputs(state: State, examples: Arrays, work: Workbench) -> Arrays:
    """What the float model gives, or what it gives with int8's rounding once it has that."""
    settings, total = state.kept.quantized, count(examples)
    model = state.model if settings is None else quantized(state.model, settings)
    specs, parts = work.contract.output.tensors, np.array_split(np.arange(total), math.ceil(total / at_once(examples)))
    found = [named(model(fed(model, part(examples, indices)), training=False), specs) for indices in parts]
    return {spec.name: np.concatenate([item[spec.name] for item in found]) for spec in specs}
