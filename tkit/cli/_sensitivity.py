"""A sensitivity analysis of int8 as text."""

from __future__ import annotations

from typing import Any

from tkit.measures import drop_text
from tkit.run_folder import Run
from tkit_edge.outputs import Measure, Output
from tkit_edge.table import aligned
from tkit_edge.text import counted

_SHOWN = 10


def text(result: dict[str, Any], run: Run, width: int | None = None) -> str:
    """The worst sites of `tkit.why_int8`, the causes of their cost, and what the exceptions gained.

    `width` is the terminal's; columns that don't fit are left out.
    """
    sites, output, example = result["places"], run.output, run.input.example
    examples = counted(result["samples"], f"validation {example}")
    header = ["layer", "part", "divergence", "SQNR dB", f"same {output.answer}", "drop", "cause"]
    rows = [
        [
            item["layer"],
            item["part"],
            f"{item['divergence']:.2e}",
            "-" if item["sqnr_db"] is None else f"{item['sqnr_db']:.1f}",
            f"{item['agreement']:.1%}",
            drop_text(item),
            item["cause"],
        ]
        for item in sites[:_SHOWN]
    ]
    lines = [
        f"{result['run']}, {result['variant']}: {result['step']} on {examples}; each site rounded alone, divergence "
        f"from float, {output.divergence_unit}",
        "",
        *aligned([header, *rows], left=(0, 1, 6), width=width, spare=(3, 4, 2, 5)),
    ]
    if len(sites) > _SHOWN:
        lines.append(f"and {len(sites) - _SHOWN} with a smaller effect: --json has all")
    suspects = [item for item in sites if item["suspect"]]
    for item in suspects:
        lines += ["", f"{item['layer']} {item['part']}: {item['cause']}", f"  {item['why']}"]
        lines += [f"  try {item['remedy']}"] if item["remedy"] else []
    lines.append("")
    if output.measure is not None:
        lines.append(f"float: {_score(result['float'], output.measure)} of {examples}")
    lines.append(_file("int8", result["int8"], output))
    if result["with_exceptions"] is None:
        lines.append(
            "No site alone costs enough for an exception; training (quantize:aware=true) may recover the rest."
        )
    else:
        lines += [
            _file("int8 with the exceptions", result["with_exceptions"], output),
            f"  tkit compress {result['run']} {result['suggested_step']}",
        ]
    lines += ["", f"{result['folder']}: why-int8.json, why-int8.png"]
    return "\n".join(lines)


def _file(name: str, figures: dict[str, Any], output: Output) -> str:
    measure = output.measure
    score = "" if measure is None else f"{_score(figures, measure)}, drop {drop_text(figures)} {measure.points}, "
    return f"{name}: {score}same {output.answer} {figures['agreement']:.1%}, {figures['bytes']:,} bytes"


def _score(figures: dict[str, Any], measure: Measure) -> str:
    return f"{measure.name} {measure.text(figures[measure.key])}"
