"""Intervals for accuracies and for the difference of two accuracies on the same pictures."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

Z95 = 1.959964  # the normal distribution's 97.5 % point


class Interval(NamedTuple):
    """A 95 % interval, as shares."""

    low: float
    high: float


def wilson(successes: int, total: int) -> Interval:
    """The 95 % interval of a proportion (Wilson 1927)."""
    share = successes / total
    z2 = Z95**2
    centre = (share + z2 / (2 * total)) / (1 + z2 / total)
    half = Z95 / (1 + z2 / total) * math.sqrt(share * (1 - share) / total + z2 / (4 * total**2))
    return Interval(max(0.0, centre - half), min(1.0, centre + half))


def paired_drop(before: np.ndarray, after: np.ndarray) -> tuple[float, Interval]:
    """How much lower the accuracy `after` is, with its 95 % interval for paired samples.

    Args:
        before, after: bool [n], whether each picture was right.

    Source: Tango 1998's problem in Agresti and Min 2005's form: Wald's interval with 1/2 added to each discordant cell.
    """
    total = len(before)
    lost = int(np.sum(before & ~after)) + 0.5
    won = int(np.sum(~before & after)) + 0.5
    padded = total + 2
    drop = (lost - won) / padded
    half = Z95 * math.sqrt(max((lost + won) - (lost - won) ** 2 / padded, 0.0)) / padded
    return float(np.mean(before) - np.mean(after)), Interval(drop - half, drop + half)
