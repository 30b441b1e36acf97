"""The rows of a ledger as the cells of a table."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from tkit.measures import drop_text
from tkit_edge.outputs import Measure

_COLUMNS = ("step", "weights", "non-zero", "MACs M", "int8 KB", "zip KB", "codes", "p50 ms")
SPARE = tuple(_COLUMNS.index(name) for name in ("codes", "weights", "MACs M", "zip KB"))
"""The columns that a narrow terminal leaves out, the first of them first."""


def table(rows: Sequence[dict[str, Any]], measure: Measure) -> list[list[str]]:
    """The header, then a row for the model before compression and one per step."""
    return [[*_COLUMNS, measure.name, "drop"], *(_cells(row, measure) for row in rows)]


def _cells(row: dict[str, Any], measure: Measure) -> list[str]:
    return [
        row["step"],
        f"{row['weights']:,}",
        f"{row['nonzero'] / row['weights']:.0%}",
        "-" if row["macs"] is None else f"{row['macs'] / 1e6:.3f}",
        f"{row['bytes'] / 1e3:.1f}",
        f"{row['zip_bytes'] / 1e3:.1f}",
        f"{max(row['codes'].values(), default=0)}",
        f"{row['p50_ms']:.3f}",
        measure.text(row[measure.key]),
        drop_text(row),
    ]
