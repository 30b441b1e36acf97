"""The ranges of int8 activations, calibrated on a model's activations for calibration examples.

Two passes over the examples, the second into histograms, so that memory doesn't grow with their number.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import keras
import numpy as np
import tensorflow as tf

from tkit.arrays import count, fed, part
from tkit.keras_internals import nodes
from tkit.quantization.fake_quant import CODES, nudged
from tkit.quantization.graph import int8_graph, quantizers
from tkit.quantization.rules import PIXELS, Rules
from tkit_edge.tensors import Arrays

Method = Literal["minmax", "percentile", "mse"]
PERCENTILE = 99.99
_BINS = 4096
_BATCH = 16  # all tensors of a batch are in memory at once
_SHARES = np.linspace(0.3, 1.0, 71)


def ranges(
    model: keras.Model,
    examples: Arrays,
    method: Method,
    float_layers: Sequence[str] = (),
    input_range: tuple[float, float] | None = PIXELS,
) -> dict[str, tuple[float, float]]:
    """The range of each tensor that is int8 on the device, by its name.

    Args:
        model: folded stock float32 functional model.
        examples: of the training data.
        method: `minmax` covers all values; `percentile` leaves out 0.01 % at each end; `mse` minimizes the mean
            squared error of rounding and clipping.
        float_layers: layers that compute in float.
        input_range: of the inputs, where it is known beforehand.

    Raises:
        InputError: an unknown name among `float_layers`.
    """
    graph = int8_graph(model, None, float_layers, input_range=input_range)
    made = quantizers(graph)
    names = {layer.name: name for name, layer in made.items() if layer.mode == "observed"}
    observed = [
        (names[node.operation.name], node.input_tensors[0]) for node in nodes(graph) if node.operation.name in names
    ]
    batches = [part(examples, slice(start, start + _BATCH)) for start in range(0, count(examples), _BATCH)]
    found = {name: layer.initial for name, layer in made.items() if layer.mode == "fixed"}
    if not observed:
        return found
    probed = keras.Model(graph.inputs, [tensor for _, tensor in observed])
    probe = tf.function(lambda batch: keras.tree.flatten(probed(batch, training=False)))
    low, high = dict.fromkeys(names.values(), 0.0), dict.fromkeys(names.values(), 0.0)
    for batch in batches:
        for (name, _), values in zip(observed, probe(fed(model, batch)), strict=True):
            low[name] = min(low[name], float(tf.reduce_min(values)))
            high[name] = max(high[name], float(tf.reduce_max(values)))
    symmetric = Rules(model, float_layers, input_range).symmetric
    if method == "minmax":
        chosen = {name: nudged(low[name], high[name]) for name in low}
        return found | {name: _even(*ends) if name in symmetric else ends for name, ends in chosen.items()}
    counts = {name: np.zeros(_BINS, np.int64) for name in low}
    for batch in batches:
        for (name, _), values in zip(observed, probe(fed(model, batch)), strict=True):
            span = tf.constant([low[name], max(high[name], low[name] + 1e-12)])
            counts[name] += tf.histogram_fixed_width(values, span, _BINS).numpy()
    choose = _percentile if method == "percentile" else _mse
    chosen = {name: choose(low[name], high[name], counts[name]) for name in low}
    return found | {name: _even(*ends) if name in symmetric else ends for name, ends in chosen.items()}


def _even(low: float, high: float) -> tuple[float, float]:
    """The range whose middle code is 0."""
    largest = max(high, -low * (CODES - 1) / (CODES + 1))
    return nudged(-largest * (CODES + 1) / (CODES - 1), largest)


def _percentile(low: float, high: float, counts: np.ndarray) -> tuple[float, float]:
    edges = np.linspace(low, high, _BINS + 1)
    share = np.cumsum(counts) / counts.sum()
    first = int(np.searchsorted(share, 1 - PERCENTILE / 100, side="right"))
    last = int(np.searchsorted(share, PERCENTILE / 100))
    return nudged(float(edges[first]), float(edges[last + 1]))


def _mse(low: float, high: float, counts: np.ndarray) -> tuple[float, float]:
    edges = np.linspace(low, high, _BINS + 1)
    values = (edges[1:] + edges[:-1]) / 2
    values[np.abs(values) <= (high - low) / _BINS] = 0.0  # most outputs of a ReLU are exactly 0

    def error(range_: tuple[float, float]) -> float:
        scale = (range_[1] - range_[0]) / CODES
        rounded = np.clip(np.round((values - range_[0]) / scale), 0, CODES) * scale + range_[0]
        return float(np.dot(counts, (rounded - values) ** 2))

    return min((nudged(low * share, high * share) for share in _SHARES), key=error)
