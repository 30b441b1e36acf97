"""The plot of a sensitivity analysis, as PNG bytes: the worst sites, and the values of the worst one."""

from __future__ import annotations

import numpy as np
from matplotlib.figure import Figure

from tkit.compression.diagnosis.sensitivity import Findings
from tkit.plotting import all_shortened, png
from tkit_edge.outputs import Output

SHOWN = 12
BARS = 128
COLOURS = {
    "range outlier": "tab:red",
    "too few calibration samples": "tab:orange",
    "saturation": "tab:purple",
    "dead channel": "tab:brown",
    "unequal channels": "tab:olive",
    "rounding": "tab:blue",
}


def sensitivity_png(findings: Findings, output: Output) -> bytes:
    """Horizontal bars of the sites with the largest divergence, coloured by cause, over a histogram of the worst
    one."""
    shown = findings.sites[:SHOWN]
    figure = Figure(figsize=(10, 3.4 + 0.34 * len(shown) + 2.6), layout="constrained")
    bars, values = figure.subplots(2, height_ratios=(1 + 0.34 * len(shown), 2.6))
    names = all_shortened([f"{item.site.layer} {item.site.part}".replace("$", r"\$") for item in shown], 40)
    rows = np.arange(len(shown))[::-1]
    sizes = [item.effect.divergence for item in shown]
    bars.barh(rows, sizes, color=[COLOURS[item.cause.name] for item in shown])
    bars.set_yticks(rows, names)
    for row, item in zip(rows, shown, strict=True):
        text = f" {item.cause.name}, same {output.answer} {item.effect.agreement:.1%}"
        bars.text(item.effect.divergence, row, text, va="center", fontsize=8)
    bars.set_xlim(0, 1.45 * max(*sizes, 1e-9))
    bars.set_xlabel(f"divergence from float when only this is rounded, {output.divergence_unit}")
    together = findings.together
    bars.set_title(
        f"all rounded: {together.divergence:.2g} {output.divergence_unit}, same {output.answer} "
        f"{together.agreement:.1%}"
    )
    edges, counts, (low, high) = findings.histogram
    width = max(1, len(counts) // BARS)
    heights = np.add.reduceat(counts, np.arange(0, len(counts), width))
    starts = edges[:-1:width]
    values.bar(starts, heights, np.append(starts[1:], edges[-1]) - starts, align="edge", color="grey")
    values.set_yscale("log")
    for end in (low, high):
        values.axvline(end, color="tab:red", linestyle="--")
    values.set_xlabel(f"{names[0]}: values in float; dashed, the ends of the int8 codes")
    values.set_ylabel("values")
    return png(figure)
