"""The rows of a ledger as the cells of a table."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from tkit.device_figures import FIGURES
from tkit.measures import drop_text
from tkit_edge.outputs import Measure

_COLUMNS = ("step", "weights", "non-zero", "MACs M", "int8 KB", "zip KB", "codes", "p50 ms")
SPARE = tuple(_COLUMNS.index(name) for name in ("codes", "weights", "MACs M", "zip KB"))
"""The columns that a narrow terminal leaves out, the first of them first."""


def table(rows: Sequence[dict[str, Any]], measure: Measure) -> list[list[str]]:
    """The header, then a row for the model before compression and one per step.

    What a device tells of the int8 files stands behind this machine's latency.
    """
    told = [key for key in FIGURES if any(key in row.get("device", {}) for row in rows)]
    labels = [FIGURES[key].label for key in told]
    header = [*_COLUMNS, *(f"there {label}" if label in _COLUMNS else label for label in labels), measure.name, "drop"]
    return [header, *(_cells(row, measure, told) for row in rows)]


def _cells(row: dict[str, Any], measure: Measure, told: Sequence[str]) -> list[str]:
    there = row.get("device", {})
    return [
        row["step"],
        f"{row['weights']:,}",
        f"{row['nonzero'] / row['weights']:.0%}",
        "-" if row["macs"] is None else f"{row['macs'] / 1e6:.3f}",
        f"{row['bytes'] / 1e3:.1f}",
        f"{row['zip_bytes'] / 1e3:.1f}",
        f"{max(row['codes'].values(), default=0)}",
        f"{row['p50_ms']:.3f}",
        *(FIGURES[key].text(there[key]) if key in there else "-" for key in told),
        measure.text(row[measure.key]),
        drop_text(row),
    ]
