"""The interval of the difference of two accuracies on the same images."""

from __future__ import annotations

import math

import numpy as np

from tkit_edge.accuracy import Z95, Interval


def paired_drop(before: np.ndarray, after: np.ndarray) -> tuple[float, Interval]:
    """The drop from the accuracy `before` to `after`, with its 95 % interval for paired samples.

    Args:
        before, after: bool [n], whether each image was right.

    Source: Tango 1998's problem in Agresti and Min 2005's form: Wald's interval with 1/2 added to each discordant cell.
    """
    total = len(before)
    lost = int(np.sum(before & ~after)) + 0.5
    won = int(np.sum(~before & after)) + 0.5
    padded = total + 2
    drop = (lost - won) / padded
    half = Z95 * math.sqrt(max((lost + won) - (lost - won) ** 2 / padded, 0.0)) / padded
    return float(np.mean(before) - np.mean(after)), Interval(drop - half, drop + half)
