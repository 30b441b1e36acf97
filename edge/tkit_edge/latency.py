"""The distribution of measured run times, and how well their median is known."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

BINS = 16
LEVEL = 0.95
"""Of the intervals."""


@dataclass(frozen=True)
class Histogram:
    """How many runs took how long: bins of equal width from the shortest run to p99, and what lies above."""

    from_ms: float
    to_ms: float
    counts: tuple[int, ...]
    above: int


@dataclass(frozen=True)
class Latency:
    """Run times in ms."""

    p50_ms: float
    p90_ms: float
    p99_ms: float
    min_ms: float
    max_ms: float
    mean_ms: float
    runs_per_second: float
    runs: int
    rounds: int
    p50_interval_ms: tuple[float, float]
    """95 %: `median_interval` of the rounds' medians."""
    precise: bool
    """Whether that interval is within the wanted precision, see `precise`."""
    histogram: Histogram


def latency(rounds: Sequence[np.ndarray], precision: float) -> Latency:
    """The distribution of run times.

    Args:
        rounds: the times of each round's runs, int64 [runs] each, in ns.
        precision: that is wanted of the median, as a share of it.
    """
    times = np.concatenate(rounds) / 1e6
    p50, p90, p99 = (float(value) for value in np.percentile(times, (50, 90, 99)))
    mean = float(np.mean(times))
    medians = [float(np.median(part)) / 1e6 for part in rounds]
    return Latency(
        p50_ms=p50,
        p90_ms=p90,
        p99_ms=p99,
        min_ms=float(times.min()),
        max_ms=float(times.max()),
        mean_ms=mean,
        runs_per_second=1e3 / mean,
        runs=len(times),
        rounds=len(rounds),
        p50_interval_ms=median_interval(medians),
        precise=precise(medians, precision),
        histogram=_histogram(times, p99),
    )


def precise(medians: Sequence[float], precision: float) -> bool:
    """Whether the ends of the rounds' medians' interval differ from its median by at most `precision`, a share."""
    low, high = median_interval(medians)
    middle = float(np.median(medians))
    return max(high - middle, middle - low) <= precision * middle


def median_interval(values: Sequence[float]) -> tuple[float, float]:
    """An interval that holds the median of what `values` were drawn from with a probability of at least 95 %.

    It is between two of the sorted values, the k-th and the k-th from the end, with the largest k that binomial
    probabilities allow: no distribution is assumed, only that the values are independent. Of fewer than 6 values it is
    their range, which holds the median less often. Rounds that lie apart in time are nearer to independence than the
    runs within one, which a disturbance slows together.

    Source: Le Boudec, Performance Evaluation of Computer and Communication Systems (2010), theorem 2.1.
    """
    ordered, n = sorted(values), len(values)
    k, outside = 0, 0.0  # outside: that at most k of n values lie below the median
    while k < n // 2:
        outside += math.comb(n, k) / 2**n
        if 2 * outside > 1 - LEVEL:
            break
        k += 1
    k = max(k, 1)
    return ordered[k - 1], ordered[n - k]


def _histogram(times: np.ndarray, end: float) -> Histogram:
    start = float(times.min())
    counts, _ = np.histogram(times[times <= end], BINS, (start, end))
    return Histogram(start, end, tuple(counts.tolist()), int((times > end).sum()))
