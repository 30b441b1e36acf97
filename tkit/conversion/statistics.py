"""The interval of the difference of two scores on the same examples."""

from __future__ import annotations

import math

import numpy as np

from tkit_edge.accuracy import Z95, Interval


def paired_drop(before: np.ndarray, after: np.ndarray, scale: float = 1.0) -> tuple[float, Interval]:
    """How much worse the grades `after` are than those `before`, with the 95 % interval for paired samples.

    Args:
        before, after: of each example, bool [n], whether it was right; or float [n], its error.
        scale: what errors are a share of.

    Source: Tango 1998's problem in Agresti and Min 2005's form for right or wrong: Wald's interval with 1/2 added to
    each discordant cell; the normal interval of the mean for errors.
    """
    if before.dtype != bool:
        risen = (np.asarray(after, np.float64) - before) / scale
        half = Z95 * float(np.std(risen, ddof=1)) / math.sqrt(len(risen)) if len(risen) > 1 else 0.0
        drop = float(np.mean(risen))
        return drop, Interval(drop - half, drop + half)
    total = len(before)
    lost = int(np.sum(before & ~after)) + 0.5
    won = int(np.sum(~before & after)) + 0.5
    padded = total + 2
    drop = (lost - won) / padded
    half = Z95 * math.sqrt(max((lost + won) - (lost - won) ** 2 / padded, 0.0)) / padded
    return float(np.mean(before) - np.mean(after)), Interval(drop - half, drop + half)


def scale_of(targets: np.ndarray | None) -> float:
    """What errors are a share of: how far targets lie from their mean on average, which always guessing it costs.

    1 where targets are classes.
    """
    if targets is None or targets.dtype.kind != "f":
        return 1.0
    values = targets.astype(np.float64)
    return float(np.mean(np.abs(values - values.mean()))) or 1.0
