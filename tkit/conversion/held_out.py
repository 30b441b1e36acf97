"""A Keras model's accuracy on held-out images, compared with the recorded accuracy and with chance."""

from __future__ import annotations

from typing import Any

import numpy as np

from tkit_edge.accuracy import wilson
from tkit_edge.text import counted
from tkit_pipelines.dataset import Examples

SAMPLES = 500
"""Validation images on which an adopted model's accuracy is measured, all if there are fewer."""
TOLERANCE = 0.05
"""Allowed gap from the upper end of the interval to the recorded accuracy above it."""


def drawn(examples: Examples, samples: int, seed: int) -> Examples:
    """A seeded sample of `samples` examples, all if there are fewer, in their order."""
    count = len(examples.labels)
    return examples.take(np.sort(np.random.default_rng(seed).permutation(count)[:samples]))


def figures(logits: np.ndarray, labels: np.ndarray) -> dict[str, Any]:
    """Accuracy, its 95 % interval, and the number of samples; `logits` may be of more images than have labels."""
    right = int(np.sum(logits[: len(labels)].argmax(axis=1) == labels))
    return {"accuracy": right / len(labels), "interval": list(wilson(right, len(labels))), "samples": len(labels)}


def alarm(found: dict[str, Any], recorded: float | None) -> str | None:
    """Why a model that was better when it was made can't be judged on these images; None if it is as good."""
    if recorded is None or found["interval"][1] >= recorded - TOLERANCE:
        return None
    return (
        f"The Keras model itself has an accuracy of {_text(found)}; {recorded:.2%} was recorded when it was made. The "
        "data, its labels or the order of its classes isn't what the model was trained on: no file can be judged on it."
    )


def warning(found: dict[str, Any], classes: int) -> str | None:
    """Warns that a model can't be distinguished from chance on these images; None if it can."""
    if found["interval"][0] > 1 / classes:
        return None
    return (
        f"warning: the Keras model's accuracy is {_text(found)}, which can't be told from chance "
        f"({1 / classes:.2%}). Are the classes in the order of its outputs, and the pixels those of its training?"
    )


def _text(found: dict[str, Any]) -> str:
    low, high = found["interval"]
    samples = counted(found["samples"], "validation image")
    return f"{found['accuracy']:.2%} (95 % {low:.2%} to {high:.2%}) on {samples}"
