"""A float model's activations on examples, compared with the ranges of their int8 codes."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import tensorflow as tf

from tkit.compression.diagnosis.sites import Switches, batches
from tkit.quantization.fake_quant import CODES
from tkit_edge.tensors import Arrays

BINS = 4096


class Seen(NamedTuple):
    """One tensor's values on some images."""

    low: np.ndarray
    """Float64 [channels], the smallest value of each channel."""
    high: np.ndarray
    """Float64 [channels], the largest."""
    edges: np.ndarray
    """Float64 [BINS + 1]."""
    counts: np.ndarray
    """Int64 [BINS]."""
    outside: float
    """Share of the values outside the range of the codes."""
    clipping: float
    """Clipping's share of the squared error of rounding and clipping; 0 if there is no error."""

    def reach(self, share: float) -> float:
        """The magnitude that `share` of the values don't exceed."""
        middles = np.abs((self.edges[1:] + self.edges[:-1]) / 2)
        order = np.argsort(middles)
        below = np.cumsum(self.counts[order]) / self.counts.sum()
        return float(middles[order][np.searchsorted(below, share)])


def observe(switches: Switches, examples: Arrays) -> dict[str, Seen]:
    """Each activation's values on examples, all switches off; in two passes, the second into histograms."""
    names, probe = switches.probe()
    lows: dict[str, np.ndarray] = {}
    highs: dict[str, np.ndarray] = {}
    for batch in batches(switches.graph, examples):
        for name, values in zip(names, probe(batch), strict=True):
            channels = tf.reshape(values, [-1, values.shape[-1]])
            low, high = tf.reduce_min(channels, 0).numpy(), tf.reduce_max(channels, 0).numpy()
            # Tensors that share a range may have different numbers of channels: then only the overall values count.
            if name in lows and lows[name].shape != low.shape:
                low, high = np.append(lows[name], low), np.append(highs[name], high)
                lows[name], highs[name] = low.min(keepdims=True), high.max(keepdims=True)
            else:
                lows[name] = np.minimum(lows.get(name, low), low)
                highs[name] = np.maximum(highs.get(name, high), high)
    counts = {name: np.zeros(BINS, np.int64) for name in lows}
    spans = {name: (float(low.min()), float(max(highs[name].max(), low.min() + 1e-9))) for name, low in lows.items()}
    errors = {name: np.zeros(4) for name in lows}
    for batch in batches(switches.graph, examples):
        for name, values in zip(names, probe(batch), strict=True):
            counts[name] += tf.histogram_fixed_width(values, spans[name], BINS).numpy()
            errors[name] += _errors(values, switches.range_of(name)).numpy()
    found = {}
    for name in lows:
        outside, clipped, rounded, total = errors[name]
        found[name] = Seen(
            lows[name].astype(np.float64),
            highs[name].astype(np.float64),
            np.linspace(*spans[name], BINS + 1),
            counts[name],
            float(outside / total),
            float(clipped / (clipped + rounded)) if clipped else 0.0,
        )
    return found


def _errors(values: tf.Tensor, range_: tuple[float, float]) -> tf.Tensor:
    """Number of values outside the range, their squared error, the squared error of the others, number of all
    values."""
    low, high = range_
    step = (high - low) / CODES
    inside = tf.clip_by_value(values, low, high)
    error = tf.square(tf.round((inside - low) / step) * step + low - values)
    # Up to half a step past the end, the end's code is still the nearest.
    past = tf.cast(tf.abs(values - inside) > step / 2, tf.float32)
    sums = (tf.reduce_sum(past), tf.reduce_sum(error * past), tf.reduce_sum(error * (1 - past)))
    return tf.stack([*sums, tf.cast(tf.size(values), tf.float32)])
