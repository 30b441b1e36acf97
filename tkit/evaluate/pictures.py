"""Pictures of an evaluation, as PNG bytes: confusion matrix, reliability diagram, the most confident mistakes."""

from __future__ import annotations

import io
from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.figure import Figure

COLUMNS = 6


def confusion_png(matrix: np.ndarray, class_names: Sequence[str]) -> bytes:
    """A confusion matrix as a PNG: int [classes, classes], rows the true class, columns the predicted one."""
    size = max(4.0, min(16.0, 0.5 * len(class_names) + 2))
    figure = Figure(figsize=(size, size), layout="constrained")
    axes = figure.subplots()
    share = matrix / np.maximum(matrix.sum(axis=1, keepdims=True), 1)
    axes.imshow(share, cmap="Blues", vmin=0, vmax=1)
    ticks = range(len(class_names))
    axes.set_xticks(ticks, _plain(class_names), rotation=90)
    axes.set_yticks(ticks, _plain(class_names))
    axes.set_xlabel("predicted")
    axes.set_ylabel("true")
    if len(class_names) <= 20:
        for row in ticks:
            for column in ticks:
                colour = "white" if share[row, column] > 0.5 else "black"
                axes.text(column, row, str(matrix[row, column]), ha="center", va="center", color=colour, fontsize=8)
    return _png(figure)


def reliability_png(calibration: dict[str, Any]) -> bytes:
    """Accuracy against confidence, a bar a bin, and the share of pictures in each; `metrics.calibration` gives it."""
    figure = Figure(figsize=(5, 6), layout="constrained")
    upper, lower = figure.subplots(2, sharex=True, height_ratios=(3, 1))
    bins = [item for item in calibration["bins"] if item["samples"]]
    middles = [(item["from"] + item["to"]) / 2 for item in bins]
    width = 1 / len(calibration["bins"])
    upper.bar(middles, [item["accuracy"] for item in bins], width, edgecolor="white", label="accuracy")
    upper.plot([item["confidence"] for item in bins], [item["accuracy"] for item in bins], "o", color="black", ms=4)
    upper.plot([0, 1], [0, 1], "--", color="grey", label="confidence as it should be")
    upper.set_ylabel("accuracy")
    upper.set_xlim(0, 1)
    upper.set_ylim(0, 1)
    upper.set_title(f"calibration error {calibration['error']:.2%}")
    upper.legend(loc="upper left")
    total = sum(item["samples"] for item in bins)
    lower.bar(middles, [item["samples"] / total for item in bins], width, edgecolor="white", color="grey")
    lower.set_ylabel("pictures")
    lower.set_xlabel("confidence")
    return _png(figure)


def mistakes_png(images: np.ndarray, mistakes: Sequence[dict[str, Any]], class_names: Sequence[str]) -> bytes:
    """A grid of wrongly classified pictures with what `metrics.mistakes` says of each.

    Args:
        images: uint8 [n, height, width, channels].
        mistakes: true class, predicted class and confidence of each.
        class_names: the classes in order.
    """
    rows = max(1, -(-len(mistakes) // COLUMNS))
    figure = Figure(figsize=(2.2 * COLUMNS, 2.7 * rows), layout="constrained")
    grid = figure.subplots(rows, COLUMNS, squeeze=False).ravel()
    for axes in grid:
        axes.axis("off")
    for axes, image, item in zip(grid, images, mistakes, strict=False):  # the last row may have empty places
        axes.imshow(image[..., 0] if image.shape[-1] == 1 else image, cmap="gray", vmin=0, vmax=255)
        true, predicted = _plain([class_names[item["true"]], class_names[item["predicted"]]])
        axes.set_title(f"{true}\n{predicted} {item['confidence']:.0%}", fontsize=9)
    figure.suptitle("true class, answer and its confidence" if mistakes else "no mistakes")
    return _png(figure)


def _plain(names: Sequence[str]) -> list[str]:
    """Names that matplotlib doesn't read as formulas."""
    return [name.replace("$", r"\$") for name in names]


def _png(figure: Figure) -> bytes:
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=80)
    return buffer.getvalue()
