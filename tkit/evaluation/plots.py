"""Plots of an evaluation, as PNG bytes: confusion matrix, reliability diagram, the most confident mistakes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.image import AxesImage

from tkit.plotting import all_shortened, ending, lettering, png, wrapped
from tkit_edge.accuracy import wilson
from tkit_edge.text import counted

COLUMNS = 6
COUNTED = 20
"""Classes up to which a confusion matrix shows the number of images in each cell."""
NAMED = 200
"""Classes up to which each one is named beside a confusion matrix."""
NAME_COLUMNS, TITLE_COLUMNS = 28, 30
IMAGE_INCHES = 2.1
FEW = 10
"""A bin of fewer images is drawn hollow: its accuracy is unreliable."""


def confusion_png(matrix: np.ndarray, class_names: Sequence[str], split: str) -> bytes:
    """A confusion matrix as a PNG.

    Args:
        matrix: int [classes, classes], rows the true class, columns the predicted one.
        class_names: the classes in order.
        split: of the images that were classified, for the title.
    """
    classes, total = len(class_names), int(matrix.sum())
    cell = float(np.interp(classes, (2, COUNTED, 60, NAMED), (1.2, 0.5, 0.22, 0.11)))
    side = cell * min(classes, NAMED)
    every = -(-classes // NAMED)
    ticks = range(0, classes, every)
    with lettering(class_names) as (names, _):
        figure = Figure(figsize=(side, side))
        axes = figure.add_axes((0, 0, 1, 1))
        shown = draw_confusion(axes, matrix)
        labels = all_shortened(names, NAME_COLUMNS)[::every]
        font = min(9.0, 60 * cell)
        axes.set_xticks(ticks, labels, rotation=90, fontsize=font)
        axes.set_yticks(ticks, labels, fontsize=font)
        axes.set_xlabel("predicted class", fontsize=10 + side / 4)
        axes.set_ylabel("true class", fontsize=10 + side / 4)
        bar = figure.colorbar(shown, cax=figure.add_axes((1 + 0.2 / side, 0, 0.2 / side, 1)))
        bar.set_label("share of the true class's images")
        bar.ax.yaxis.set_major_formatter(lambda value, _: f"{value:.0%}")
        title = f"Confusion matrix\n{counted(total, f'{split} image')}, accuracy {np.trace(matrix) / max(total, 1):.2%}"
        title += f"; of {classes:,} classes 1 in {every} is named" if every > 1 else ""
        axes.set_title(title, fontsize=10 + side / 4)
        if classes <= COUNTED:
            _count_cells(axes, matrix)
        return png(figure)


def draw_confusion(axes: Axes, matrix: np.ndarray) -> AxesImage:
    """The cells of a confusion matrix, int [classes, classes]: each as a share of its row, the true class."""
    return axes.imshow(_share(matrix), cmap="Blues", vmin=0, vmax=1, interpolation="nearest", aspect="auto")


def _share(matrix: np.ndarray) -> np.ndarray:
    return matrix / np.maximum(matrix.sum(axis=1, keepdims=True), 1)


def _count_cells(axes: Axes, matrix: np.ndarray) -> None:
    share = _share(matrix)
    for (row, column), count in np.ndenumerate(matrix):
        colour = "white" if share[row, column] > 0.5 else "black" if count else "lightgrey"
        size = 9 if count < 10_000 else 6
        axes.text(column, row, f"{count:,}", ha="center", va="center", color=colour, fontsize=size)


def reliability_png(calibration: dict[str, Any], split: str) -> bytes:
    """Accuracy against confidence, one bar per bin, over the number of images in each; from `metrics.calibration`.

    Each accuracy has its 95 % interval, and bins of fewer than `FEW` images are hollow.
    """
    bins = [item for item in calibration["bins"] if item["samples"]]
    width = 1 / len(calibration["bins"])
    middles = [(item["from"] + item["to"]) / 2 for item in bins]
    counts = [item["samples"] for item in bins]
    figure = Figure(figsize=(6, 7), layout="constrained")
    upper, lower = figure.subplots(2, sharex=True, height_ratios=(3, 1))
    for label, chosen, style in (
        ("accuracy", [count >= FEW for count in counts], {"color": "tab:blue"}),
        (f"of fewer than {FEW} images", [count < FEW for count in counts], {"color": "none", "ls": ":"}),
    ):
        shown = [(middle, item["accuracy"]) for middle, item, yes in zip(middles, bins, chosen, strict=True) if yes]
        if shown:
            upper.bar(*zip(*shown, strict=True), width * 0.92, edgecolor="tab:blue", label=label, **style)
    for middle, item in zip(middles, bins, strict=True):
        interval = wilson(round(item["accuracy"] * item["samples"]), item["samples"])
        upper.vlines(middle, *interval, color="black", lw=1, label="95 % interval" if item is bins[0] else None)
    upper.plot([0, 1], [0, 1], "--", color="grey", label="perfectly calibrated")
    upper.set(ylabel="accuracy", xlim=(0, 1), ylim=(0, 1.02))
    upper.set_title(f"{counted(sum(counts), f'{split} image')}, expected calibration error {calibration['error']:.2%}")
    figure.legend(*upper.get_legend_handles_labels(), loc="outside lower center", ncols=2, frameon=False)
    lower.bar(middles, counts, width * 0.92, color="grey")
    for middle, count in zip(middles, counts, strict=True):
        lower.annotate(f"{count:,}", (middle, count), (0, 2), textcoords="offset points", ha="center", fontsize=7)
    lower.margins(y=0.2)
    lower.set(ylabel="images", xlabel="confidence (probability of the predicted class)")
    for axes, axis in ((upper, upper.yaxis), (lower, lower.xaxis)):
        axis.set_major_formatter(lambda value, _: f"{value:.0%}")
        axes.spines[["top", "right"]].set_visible(False)
    return png(figure)


def mistakes_png(
    images: np.ndarray, mistakes: Sequence[dict[str, Any]], class_names: Sequence[str], split: str
) -> bytes:
    """A grid of wrongly classified images: true class, predicted class with its confidence, and file of each.

    Args:
        images: uint8 [n, height, width, channels].
        mistakes: as `tkit.evaluate` returns them.
        class_names: the classes in order.
        split: of the images.
    """
    files = [item["file"] or f"image {item['index']:,}" for item in mistakes]
    with lettering(class_names, files) as (names, files):
        titles = [
            "\n".join(
                [
                    wrapped(f"true: {names[item['true']]}", TITLE_COLUMNS, 3),
                    wrapped(f"predicted: {names[item['predicted']]}, {item['confidence']:.0%}", TITLE_COLUMNS, 4),
                    ending(file, TITLE_COLUMNS),
                ]
            )
            for item, file in zip(mistakes, files, strict=True)
        ]
        tall = IMAGE_INCHES * (images.shape[1] / images.shape[2] if len(images) else 0)
        row = tall + 0.15 * max((title.count("\n") + 1 for title in titles), default=1) + 0.2  # inches
        width, height = (IMAGE_INCHES + 0.25) * COLUMNS, row * max(1, -(-len(mistakes) // COLUMNS))
        figure = Figure(figsize=(width, height))
        for number, (image, title) in enumerate(zip(images, titles, strict=True)):
            left, bottom = number % COLUMNS / COLUMNS, 1 - (number // COLUMNS + 1) * row / height
            axes = figure.add_axes((left, bottom, IMAGE_INCHES / width, tall / height))
            axes.imshow(image[..., 0] if image.shape[-1] == 1 else image, cmap="gray", vmin=0, vmax=255)
            axes.set_title(title, fontsize=8, loc="left")
            axes.axis("off")
        wrong = f"The {counted(len(mistakes), 'most confident mistake')}" if mistakes else "No mistakes"
        figure.text(0, 1 + 0.1 / height, f"{wrong} on {split} images", fontsize=12)
        return png(figure)
