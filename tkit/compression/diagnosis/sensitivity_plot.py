"""The plot of a sensitivity analysis, as PNG bytes: the worst sites, and the values of the worst one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from tkit.compression.diagnosis.sensitivity import Findings
from tkit.compression.diagnosis.site_bars import SHOWN, draw_sites
from tkit.plotting import png
from tkit_edge.outputs import Output

BARS = 128


def sensitivity_png(places: Sequence[Mapping[str, Any]], findings: Findings, output: Output) -> bytes:
    """Bars of the sites with the largest divergence, of `places` as `tkit.why_int8` returns them, over a histogram of
    the worst one."""
    count = min(SHOWN, len(places))
    figure = Figure(figsize=(10, 3.4 + 0.34 * count + 2.6), layout="constrained")
    bars, values = figure.subplots(2, height_ratios=(1 + 0.34 * count, 2.6))
    names = draw_sites(bars, places, output.answer)
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
