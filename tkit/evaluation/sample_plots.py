"""Plots of made images as PNG bytes: a grid of them beside real ones, and how often each class is made."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from tkit.plotting import all_shortened, lettering, png
from tkit_edge.text import counted

SIDE = 8
"""Images in a row and in a column of a grid."""
CLASSES = 100
"""Classes up to which each has a bar."""
_GRID_INCHES, _NAME_COLUMNS = 4.2, 24


def grids_png(panels: Mapping[str, np.ndarray]) -> bytes:
    """Grids side by side, each of the first images of a set and under its name: uint8 [n, height, width, channels]."""
    figure = Figure(figsize=(_GRID_INCHES * len(panels), _GRID_INCHES), layout="constrained")
    for axes, (name, images) in zip(np.ravel([figure.subplots(1, len(panels))]), panels.items(), strict=True):
        tiled = _tiled(images[: SIDE**2])
        axes.imshow(tiled[..., 0] if tiled.shape[-1] == 1 else tiled, cmap="gray", vmin=0, vmax=255)
        axes.set_title(name, fontsize=10)
        axes.axis("off")
    return png(figure)


def shares_png(classes: Sequence[Mapping[str, Any]], samples: int, split: str) -> bytes:
    """`draw_shares` as a PNG."""
    figure = Figure(figsize=(max(4.0, 0.45 * min(len(classes), CLASSES)), 3.6), layout="constrained")
    draw_shares(figure.subplots(), classes, samples, split)
    return png(figure)


def draw_shares(axes: Axes, classes: Sequence[Mapping[str, Any]], samples: int, split: str) -> None:
    """A bar for the share of each class in made and in real images, as the judge sees them.

    Args:
        axes: where it is drawn.
        classes: name, share and real_share of each; of more than `CLASSES` those that differ most.
        samples: how many were made.
        split: of the real images.
    """
    chosen = sorted(classes, key=lambda item: -abs(item["share"] - item["real_share"]))[:CLASSES]
    shown = [item for item in classes if item in chosen]
    with lettering([item["name"] for item in shown]) as (names, _):
        places = np.arange(len(shown))
        axes.bar(places - 0.2, [item["real_share"] for item in shown], 0.4, color="lightgrey", label=f"{split} images")
        axes.bar(places + 0.2, [item["share"] for item in shown], 0.4, color="tab:blue", label="samples")
        axes.set_xticks(places, all_shortened(names, _NAME_COLUMNS), rotation=90 if len(shown) > 10 else 0)
        axes.yaxis.set_major_formatter(lambda value, _: f"{value:.0%}")
        axes.set_title(f"Classes of {counted(samples, 'sample')}, by the judge", fontsize=10)
        axes.legend(frameon=False, fontsize=8)
        axes.spines[["top", "right"]].set_visible(False)


def _tiled(images: np.ndarray) -> np.ndarray:
    """One image of all of them in rows, with a white pixel between: uint8 [height, width, channels]."""
    rows = -(-len(images) // SIDE)
    padded = np.full((rows * SIDE, *np.add(images.shape[1:], (1, 1, 0))), 255, np.uint8)
    padded[: len(images), :-1, :-1] = images
    _, height, width, channels = padded.shape
    grid = padded.reshape(rows, SIDE, height, width, channels).swapaxes(1, 2)
    return grid.reshape(rows * height, SIDE * width, channels)[:-1, :-1]
