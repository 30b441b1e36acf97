"""How good outputs are, and how much worse than others: by what is right, by a ruler of sets, or by agreement."""

from __future__ import annotations

from typing import NamedTuple, Protocol

import numpy as np

from tkit.conversion.statistics import paired_drop, scale_of
from tkit.measures import AGREEMENT
from tkit.ruler import Ruler
from tkit_edge.accuracy import Interval
from tkit_edge.outputs import Measure, Output
from tkit_edge.score import Score, scored
from tkit_edge.tensors import Arrays


class Scoring(Protocol):
    """One way to score outputs, by name [n, ...]; `targets` are what is right of them, if anything is."""

    @property
    def measure(self) -> Measure:
        """What the score is called."""

    def score(self, outputs: Arrays, first: Arrays, targets: Arrays) -> Score:
        """The score of outputs; `first` are those of the model that all are compared with."""

    def drop(self, before: Arrays, after: Arrays, targets: Arrays) -> tuple[float, Interval]:
        """How much worse `after` is than `before`, in hundredths as `Measure.points`, with its 95 % interval.

        Row i of both is of one input.
        """


class Graded(NamedTuple):
    """By what is right of each output."""

    output: Output
    measure: Measure

    def score(self, outputs: Arrays, first: Arrays, targets: Arrays) -> Score:
        """The mean of the grades."""
        return scored(self.measure, self.output.graded(outputs, targets))

    def drop(self, before: Arrays, after: Arrays, targets: Arrays) -> tuple[float, Interval]:
        """The mean of the pairs' differences; of errors as a share of what always guessing the mean costs."""
        (right,) = targets.values()
        was, now = (self.output.graded(outputs, targets) for outputs in (before, after))
        return paired_drop(was, now, scale_of(right))


class Ruled(NamedTuple):
    """By a ruler, as a set."""

    ruler: Ruler

    @property
    def measure(self) -> Measure:
        """The ruler's."""
        return self.ruler.measure

    def score(self, outputs: Arrays, first: Arrays, targets: Arrays) -> Score:
        """The ruler's."""
        return self.ruler.score(outputs)

    def drop(self, before: Arrays, after: Arrays, targets: Arrays) -> tuple[float, Interval]:
        """The ruler's."""
        return self.ruler.drop(before, after)


class Agreement(NamedTuple):
    """By the share of answers that are as good as those of another model, where nothing else is known."""

    output: Output

    @property
    def measure(self) -> Measure:
        """Of any output."""
        return AGREEMENT

    def score(self, outputs: Arrays, first: Arrays, targets: Arrays) -> Score:
        """The share of answers that are as good as the first's."""
        return scored(AGREEMENT, self.output.agreement(first, outputs)[1])

    def drop(self, before: Arrays, after: Arrays, targets: Arrays) -> tuple[float, Interval]:
        """The share of answers that are worse."""
        _, near = self.output.agreement(before, after)
        return paired_drop(np.ones(len(near), bool), near)


def scoring(output: Output, ruler: Ruler | None = None) -> Graded | Ruled | None:
    """How an output is scored by itself; None where nothing says how good it is, so that only `Agreement` is left."""
    if ruler is not None:
        return Ruled(ruler)
    return None if output.measure is None else Graded(output, output.measure)
