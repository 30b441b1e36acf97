"""What measures a model's outputs as a set, where no single one is right or wrong: generated images, say."""

from __future__ import annotations

from typing import Protocol

from tkit_edge.accuracy import Interval
from tkit_edge.outputs import Measure
from tkit_edge.score import Score
from tkit_edge.tensors import Arrays


class Ruler(Protocol):
    """Measures sets of outputs, against held-out data that it holds."""

    measure: Measure

    def value(self, outputs: Arrays) -> float:
        """The score of outputs, by name [n, ...], alone."""

    def score(self, outputs: Arrays) -> Score:
        """The same with its 95 % interval by bootstrap."""

    def drop(self, before: Arrays, after: Arrays) -> tuple[float, Interval]:
        """How much worse `after` is than `before`, as a share of what always giving the mean output costs.

        Row i of both is of one input; the 95 % interval is by bootstrap over the rows.
        """

    def ratio(self, before: Arrays, after: Arrays) -> tuple[float, Interval]:
        """The score of `after` as a multiple of that of `before`, with the interval likewise."""
