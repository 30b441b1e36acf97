"""A model's score: the mean of its grades, with its interval."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from tkit_edge.accuracy import Z95, Interval, wilson
from tkit_edge.outputs import Measure


@dataclass(frozen=True)
class Score:
    """The mean of the grades of some examples."""

    name: str
    """The measure's, such as "accuracy"."""
    share: bool
    value: float
    interval: tuple[float, float]
    """95 %: Wilson's for a share, the normal one of a mean else, which a single error doesn't bound."""
    samples: int

    def as_json(self) -> dict[str, Any]:
        """The score's values; one that isn't finite, or an end of its interval, is None."""
        found = asdict(self)
        return {**found, "value": _finite(self.value), "interval": [_finite(end) for end in self.interval]}


def scored(measure: Measure, grades: np.ndarray) -> Score:
    """The score of grades, bool or float [n]."""
    value, samples = float(np.mean(grades)), len(grades)
    if measure.share:
        interval = wilson(int(np.sum(grades)), samples)
    else:
        known = samples > 1 and math.isfinite(value)
        half = Z95 * float(np.std(grades, ddof=1)) / math.sqrt(samples) if known else math.inf
        interval = Interval(value - half, value + half)
    return Score(measure.name, measure.share, value, (interval.low, interval.high), samples)


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None
