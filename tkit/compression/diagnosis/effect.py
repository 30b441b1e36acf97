"""The effect of rounding on a model's outputs."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from tkit.conversion.statistics import paired_drop
from tkit_edge.accuracy import top1
from tkit_edge.outputs.classes import probabilities


class Effect(NamedTuple):
    """The effect of rounding on a model's outputs, compared with float."""

    divergence: float
    """Mean Kullback-Leibler divergence of the classes' probabilities, in nats."""
    sqnr_db: float | None
    """Signal to quantization noise of the outputs, in dB; None without noise."""
    agreement: float
    """Share of the images with the same prediction."""
    accuracy: float
    drop: float
    drop_interval: tuple[float, float]
    """95 %, paired."""


def compared(reference: np.ndarray, outputs: np.ndarray, labels: np.ndarray, output: str) -> Effect:
    """The effect on outputs, both float32 [n, classes], logits or probabilities; `labels` are int [n]."""
    before, after = (np.clip(probabilities(item, output).astype(np.float64), 1e-9, 1) for item in (reference, outputs))
    noise = float(np.sum((outputs - reference).astype(np.float64) ** 2))
    was, now = top1(reference), top1(outputs)
    drop, interval = paired_drop(was == labels, now == labels)
    return Effect(
        divergence=max(0.0, float(np.mean(np.sum(before * np.log(before / after), axis=1)))),
        sqnr_db=10 * float(np.log10(np.sum(reference.astype(np.float64) ** 2) / noise)) if noise else None,
        agreement=float(np.mean(was == now)),
        accuracy=float(np.mean(now == labels)),
        drop=drop,
        drop_interval=(float(interval[0]), float(interval[1])),
    )
