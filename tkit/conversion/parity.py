"""The parity gate: the outputs of each exported file through LiteRT, compared with those of its Keras model."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from tkit.conversion.config import Format, Parity
from tkit.conversion.statistics import paired_drop
from tkit_edge.accuracy import top1, wilson

FLOATS = ("float32", "float16")
TIE = 0.05
"""As a share of the largest logit: Keras's lead over another class up to which that class is not a disagreement.
Correct quantized files differ by up to 0.03 (docs/log.md); a model with a smaller lead, such as an untrained one,
can't be judged by its classes."""


def compare(outputs: np.ndarray, logits: np.ndarray, labels: np.ndarray) -> dict[str, Any]:
    """The figures of one file.

    Args:
        outputs: float32 [n, classes], the file's outputs.
        logits: float32 [n, classes], the Keras model's outputs; finite.
        labels: int32 [at most n], of the first images, on which accuracy is measured.

    Returns:
        samples, accuracy_samples, max_difference and mean_difference (of the outputs, as shares of the largest logit's
        magnitude; infinite where an output isn't finite), same_top1 (share of images with the same top-1 class),
        agreement (share of images with the same one or one within `TIE` of it) and its 95 % interval, keras_accuracy,
        accuracy, drop and its 95 % interval.
    """
    keras_top, file_top = top1(logits), top1(outputs)
    judged = len(labels)
    keras_right, file_right = keras_top[:judged] == labels, file_top[:judged] == labels
    drop, interval = paired_drop(keras_right, file_right)
    largest_logit = max(float(np.abs(logits).max()), 1e-9)
    rows = np.arange(len(logits))
    lead = logits[rows, keras_top] - logits[rows, file_top]
    agreed = int(np.sum((file_top >= 0) & (lead <= TIE * largest_logit)))
    if np.isfinite(outputs).all():
        differences = np.abs(outputs.astype(np.float64) - logits) / largest_logit
        largest, mean = float(differences.max()), float(differences.mean())
    else:
        largest = mean = math.inf
    return {
        "samples": len(logits),
        "accuracy_samples": judged,
        "max_difference": largest,
        "mean_difference": mean,
        "same_top1": float(np.mean(keras_top == file_top)),
        "agreement": agreed / len(logits),
        "agreement_interval": list(wilson(agreed, len(logits))),
        "keras_accuracy": float(np.mean(keras_right)),
        "accuracy": float(np.mean(file_right)),
        "drop": drop,
        "drop_interval": list(interval),
    }


def failures(fmt: Format, figures: dict[str, Any], bounds: Parity, *, output: str = "logits") -> list[str]:
    """Messages for a file's figures that miss the recipe's bounds; empty when the file passes.

    `output` is "logits" or "probabilities". NaN misses every bound.
    """
    largest, mean = figures["max_difference"], figures["mean_difference"]
    if not math.isfinite(largest):
        return [f"{fmt}: the file outputs values that are not finite"]
    found = []
    if fmt in FLOATS:
        bound = bounds.float32 if fmt == "float32" else bounds.float16
        if not largest <= bound:
            found.append(f"{fmt}: largest difference {largest:.2e} of the largest logit, bound {bound:.0e}")
        return found
    if output == "logits" and not largest <= bounds.difference:
        found.append(f"{fmt}: largest difference {largest:.2f} of the largest logit, bound {bounds.difference:.2f}")
    if not mean <= bounds.mean_difference:
        found.append(f"{fmt}: mean difference {mean:.3f} of the largest output, bound {bounds.mean_difference:.3f}")
    low, high = figures["agreement_interval"]
    if not high >= bounds.agreement:
        found.append(
            f"{fmt}: agrees on {figures['agreement']:.1%} of the top-1 classes of {figures['samples']} images "
            f"(95 % interval {low:.1%} to {high:.1%}), bound {bounds.agreement:.1%}"
        )
    low, high = figures["drop_interval"]
    if not low <= bounds.drop:
        found.append(
            f"{fmt}: accuracy drops by {100 * figures['drop']:.2f} points on {figures['accuracy_samples']} images "
            f"(95 % interval {100 * low:.2f} to {100 * high:.2f}), bound {100 * bounds.drop:.2f}"
        )
    return found
