"""A bar chart of the sites with the largest divergence, coloured by cause."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from matplotlib.axes import Axes

from tkit.plotting import all_shortened

SHOWN = 12
COLOURS = {
    "range outlier": "tab:red",
    "too few calibration samples": "tab:orange",
    "saturation": "tab:purple",
    "dead channel": "tab:brown",
    "unequal channels": "tab:olive",
    "rounding": "tab:blue",
}


def draw_sites(axes: Axes, places: Sequence[Mapping[str, Any]], answer: str = "answer") -> list[str]:
    """Horizontal bars of the first `SHOWN` sites; returns their names as drawn.

    Args:
        axes: where they are drawn.
        places: as `tkit.why_int8` returns them, the worst first.
        answer: what a prediction is called.
    """
    shown = places[:SHOWN]
    names = all_shortened([f"{item['layer']} {item['part']}".replace("$", r"\$") for item in shown], 40)
    rows, sizes = range(len(shown))[::-1], [item["divergence"] for item in shown]
    axes.barh(rows, sizes, color=[COLOURS[item["cause"]] for item in shown])
    axes.set_yticks(rows, names)
    for row, item in zip(rows, shown, strict=True):
        text = f" {item['cause']}, same {answer} {item['agreement']:.1%}"
        axes.text(item["divergence"], row, text, va="center", fontsize=8)
    axes.set_xlim(0, 1.45 * max(*sizes, 1e-9))
    return names
