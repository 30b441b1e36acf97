"""A Keras model's score on held-out examples, compared with the recorded score and with chance."""

from __future__ import annotations

from typing import Any

import numpy as np

from tkit.conversion.statistics import scale_of
from tkit_edge.outputs import Measure, Output
from tkit_edge.score import scored
from tkit_edge.tensors import Arrays
from tkit_edge.text import counted
from tkit_pipelines.dataset import Examples

SAMPLES = 500
"""Validation examples on which an adopted model's score is measured, all if there are fewer."""
TOLERANCE = 0.05
"""Allowed gap from the interval to a recorded score that is better; of errors as a share of a guesser's."""


def drawn(examples: Examples, samples: int, seed: int) -> Examples:
    """A seeded sample of `samples` examples, all if there are fewer, in their order."""
    return examples.take(np.sort(np.random.default_rng(seed).permutation(len(examples))[:samples]))


def figures(output: Output, outputs: Arrays, targets: Arrays) -> dict[str, Any]:
    """The score under its measure's key, its 95 % interval, the number of samples, and `chance`, a guesser's score.

    Args:
        output: what the model gives; it has a measure.
        outputs: for the first examples those that have targets; there may be more.
        targets: what is right.
    """
    assert output.measure is not None
    (wanted,) = targets.values()
    judged = {name: values[: len(wanted)] for name, values in outputs.items()}
    score = scored(output.measure, output.graded(judged, targets))
    found = {output.measure.key: score.value, "interval": list(score.interval), "samples": score.samples}
    return {**found, "chance": _chance(output, wanted)}


def _chance(output: Output, targets: np.ndarray) -> float:
    """What guessing scores: any class, or the numbers' mean."""
    assert output.measure is not None
    return 1 / output.tensors[0].shape[0] if output.measure.share else scale_of(targets)


def alarm(output: Output, found: dict[str, Any], recorded: float | None) -> str | None:
    """Why a model that was better when it was made can't be judged on these examples; None if it is as good."""
    measure = output.measure
    if recorded is None or measure is None:
        return None
    low, high = found["interval"]
    if high >= recorded - TOLERANCE if measure.higher_is_better else low <= recorded + TOLERANCE * found["chance"]:
        return None
    return (
        f"The Keras model itself has {_with_article(measure.name)} of {_text(measure, found)}; "
        f"{measure.text(recorded)} was recorded when it was made. The data, its labels or the order of its classes "
        "isn't what the model was trained on: no file can be judged on it."
    )


def warning(output: Output, found: dict[str, Any]) -> str | None:
    """Warns that a model can't be distinguished from chance on these examples; None if it can."""
    measure, chance = output.measure, found["chance"]
    assert measure is not None
    low, high = found["interval"]
    if low > chance if measure.higher_is_better else high < chance:
        return None
    return (
        f"warning: the Keras model's {measure.name} is {_text(measure, found)}, which can't be told from chance "
        f"({measure.text(chance)}). Are the classes in the order of its outputs, and the inputs those of its training?"
    )


def _text(measure: Measure, found: dict[str, Any]) -> str:
    low, high = (measure.text(value) for value in found["interval"])
    samples = counted(found["samples"], "validation example")
    return f"{measure.text(found[measure.key])} (95 % {low} to {high}) on {samples}"


def _with_article(name: str) -> str:
    return f"{'an' if name[0] in 'aeiou' else 'a'} {name}"
