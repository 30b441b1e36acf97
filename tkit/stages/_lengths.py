"""The plot of `tkit data` for texts: how long those of each class are."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from tkit_edge.errors import InputError
from tkit_edge.text import counted

if TYPE_CHECKING:
    from tkit_pipelines.text_survey import TextSurvey

BINS = 40
CLASSES_SHOWN = 9
"""The largest; the others are drawn as one."""
NAME_COLUMNS = 28
SIZE = (9, 5)
"""In inches."""


def lengths_png(found: TextSurvey) -> bytes:
    """A PNG with the histogram of lengths in tokens, stacked by class, and where `data.length` cuts.

    Raises:
        InputError: no tokenizer could be learned, so that there are no lengths.
    """
    from matplotlib.figure import Figure

    from tkit.plotting import all_shortened, lettering, png

    if not len(found.lengths):
        raise InputError(f"There are no lengths to plot: {found.problems[-1]}")
    shown = np.sort(np.argsort(-np.bincount(found.classes), kind="stable")[:CLASSES_SHOWN])
    low, high = int(found.lengths.min()), int(found.lengths.max())
    width = -(-(high - low + 1) // BINS)  # whole numbers: each bin is of as many lengths
    edges = [low - 0.5 + width * number for number in range(-(-(high - low + 1) // width) + 1)]
    with lettering(found.class_names) as (names, _):
        short = all_shortened(names, NAME_COLUMNS)
        groups = {short[index] if names else "texts": found.lengths[found.classes == index] for index in shown}
        rest = found.lengths[~np.isin(found.classes, shown)]
        if len(rest):
            groups[f"{len(names) - len(shown):,} other classes"] = rest
        figure = Figure(figsize=SIZE)
        axes = figure.add_subplot()
        axes.hist(list(groups.values()), edges, stacked=True, label=list(groups))
        if found.cut:
            axes.axvline(found.length, color="black", linestyle="--", label=f"data.length={found.length}")
        axes.set(xlabel="tokens", ylabel="texts")
        axes.set_title(f"{counted(len(found.lengths), 'text')}, {found.cut:,} longer than data.length={found.length}")
        axes.spines[["top", "right"]].set_visible(False)
        axes.legend(frameon=False)
        return png(figure)
