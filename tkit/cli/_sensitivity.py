"""A sensitivity analysis of int8 as text."""

from __future__ import annotations

from typing import Any

from tkit_edge.table import aligned
from tkit_edge.text import counted

_SHOWN = 10


def text(result: dict[str, Any], width: int | None = None) -> str:
    """The worst sites of `tkit.why_int8`, the causes of their cost, and what the exceptions gained.

    `width` is the terminal's; columns that don't fit are left out.
    """
    sites = result["places"]
    header = ["layer", "part", "divergence", "SQNR dB", "same top-1", "drop", "cause"]
    rows = [
        [
            item["layer"],
            item["part"],
            f"{item['divergence']:.2e}",
            "-" if item["sqnr_db"] is None else f"{item['sqnr_db']:.1f}",
            f"{item['agreement']:.1%}",
            _drop(item),
            item["cause"],
        ]
        for item in sites[:_SHOWN]
    ]
    lines = [
        f"{result['run']}, {result['variant']}: {result['step']} on {counted(result['samples'], 'validation image')}; "
        "each site rounded alone, divergence from float in nats per image",
        "",
        *aligned([header, *rows], left=(0, 1, 6), width=width, spare=(3, 4, 2, 5)),
    ]
    if len(sites) > _SHOWN:
        lines.append(f"and {len(sites) - _SHOWN} with a smaller effect: --json has all")
    suspects = [item for item in sites if item["suspect"]]
    for item in suspects:
        lines += ["", f"{item['layer']} {item['part']}: {item['cause']}", f"  {item['why']}"]
        lines += [f"  try {item['remedy']}"] if item["remedy"] else []
    lines += [
        "",
        f"float: accuracy {result['float']['accuracy']:.2%} of {counted(result['samples'], 'validation image')}",
        _file("int8", result["int8"]),
    ]
    if result["with_exceptions"] is None:
        lines.append(
            "No site alone costs enough for an exception; training (quantize:aware=true) may recover the rest."
        )
    else:
        lines += [
            _file("int8 with the exceptions", result["with_exceptions"]),
            f"  tkit compress {result['run']} {result['suggested_step']}",
        ]
    lines += ["", f"{result['folder']}: why-int8.json, why-int8.png"]
    return "\n".join(lines)


def _file(name: str, figures: dict[str, Any]) -> str:
    return (
        f"{name}: accuracy {figures['accuracy']:.2%}, drop {_drop(figures)} points, "
        f"same top-1 {figures['agreement']:.1%}, {figures['bytes']:,} bytes"
    )


def _drop(figures: dict[str, Any]) -> str:
    low, high = figures["drop_interval"]
    return f"{100 * figures['drop']:+.2f} ({100 * low:+.2f} to {100 * high:+.2f})"
