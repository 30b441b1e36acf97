"""The parity gate: each exported file, run through LiteRT, against the Keras model it came from."""

from __future__ import annotations

from typing import Any

import numpy as np

from tkit.export.config import Format, Parity
from tkit.export.statistics import paired_drop
from tkit_edge.runtime import Model


def compare(fmt: Format, data: bytes, images: np.ndarray, labels: np.ndarray, logits: np.ndarray) -> dict[str, Any]:
    """The figures of one file.

    Args:
        data: the .tflite file.
        images: uint8 validation pictures [n, height, width, channels].
        labels: int32 [n].
        logits: float32 [n, classes], what the Keras model says.

    Returns:
        samples, max_difference (of any logit, as a share of the largest logit's magnitude), agreement (share of
        pictures with the same top-1 class), keras_accuracy, accuracy, drop and its 95 % interval.
    """
    outputs = Model(data).predict(images)
    keras_top, file_top = logits.argmax(axis=1), outputs.argmax(axis=1)
    drop, interval = paired_drop(keras_top == labels, file_top == labels)
    return {
        "samples": len(images),
        "max_difference": float(np.abs(outputs - logits).max() / max(np.abs(logits).max(), 1e-9)),
        "agreement": float(np.mean(keras_top == file_top)),
        "keras_accuracy": float(np.mean(keras_top == labels)),
        "accuracy": float(np.mean(file_top == labels)),
        "drop": drop,
        "drop_interval": list(interval),
    }


def failures(fmt: Format, figures: dict[str, Any], bounds: Parity) -> list[str]:
    """What of a file's figures is past the recipe's bounds, in words; empty when the file passes."""
    if fmt in ("float32", "float16"):
        bound = bounds.float32 if fmt == "float32" else bounds.float16
        if figures["max_difference"] > bound:
            return [
                f"{fmt}: largest difference {figures['max_difference']:.2e} of the largest logit, bound {bound:.0e}"
            ]
        return []
    found = []
    if figures["agreement"] < bounds.agreement:
        found.append(f"{fmt}: agrees on {figures['agreement']:.1%} of the top-1 classes, bound {bounds.agreement:.1%}")
    low, high = figures["drop_interval"]
    if low > bounds.drop:
        found.append(
            f"{fmt}: accuracy drops by {100 * figures['drop']:.2f} points "
            f"(95 % interval {100 * low:.2f} to {100 * high:.2f}), bound {100 * bounds.drop:.2f}"
        )
    return found
