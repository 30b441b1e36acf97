"""What `tkit.bench_on` returns: exported files on several devices, side by side."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from tkit.device_figures import FIGURES, Figure
from tkit.results.check import cannot, ran_by
from tkit.results.display import Display
from tkit.results.result import Result
from tkit_edge import conditions
from tkit_edge.machine import busy
from tkit_edge.notes import score_text

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_COLUMNS: dict[str, Figure] = {
    **FIGURES,
    "score": Figure("score", "", lambda value: score_text(value, value["value"])),
    "note": Figure("", "", str),
}
"""What devices tell of a file, and how it is shown; a column that no device fills is left out."""


class DevicesResult(Result):
    """`["devices"]`: each device's document by its name, or `{"error": ...}`."""

    @property
    def failures(self) -> dict[str, str]:
        """The devices that couldn't be measured, and why."""
        return {name: found["error"] for name, found in self["devices"].items() if "error" in found}

    def records(self) -> list[dict[str, Any]]:
        """A row per device, file and configuration."""
        return [
            {"device": name, **row, "score": row["score"]["value"] if row.get("score") else None}
            for name, document in self["devices"].items()
            for row in document.get("results", ())
        ]

    def display(self) -> Display:
        """Of each device and file, the fastest configuration."""
        rows = list(self._fastest())
        shown = [key for key in _COLUMNS if any(row.get(key) is not None for _, row in rows)]
        notes = [f"{name}: {error}" for name, error in self.failures.items()]
        for name, document in self["devices"].items():
            if "error" not in document:
                lines = (f"ran by {ran_by(document)}", *_disturbed(document), *cannot(document))
                notes += [f"{name}: {line}" for line in lines]
        return Display(
            title=f"{self['run']}: {self['variant']}" if "run" in self else self["file"],
            header=["device", "file", "size KB", *(_COLUMNS[key].label for key in shown)],
            rows=[
                [
                    name,
                    row["format"] or row["file"],
                    f"{row['bytes'] / 1e3:,.1f}",
                    *("-" if row.get(key) is None else _COLUMNS[key].text(row[key]) for key in shown),
                ]
                for name, row in rows
            ],
            left=(0, 1, *([3 + shown.index("note")] if "note" in shown else [])),
            notes=notes,
        )

    def draw(self, axes: Axes) -> None:
        """A bar for the latency of each device and file, estimated ones hatched."""
        rows = [(name, row) for name, row in self._fastest() if _latency(row) is not None][::-1]
        names = [f"{name}, {row['format'] or row['file']}".replace("$", r"\$") for name, row in rows]
        bars = axes.barh(names, [_latency(row) or 0.0 for _, row in rows], color="tab:blue")
        for bar, (_, row) in zip(bars, rows, strict=True):
            bar.set_hatch("" if row.get("p50_ms") is not None else "//")
        axes.set_xlabel("p50 in ms; hatched: estimated")
        axes.spines[["top", "right"]].set_visible(False)

    def _fastest(self) -> Iterator[tuple[str, dict[str, Any]]]:
        for name, document in self["devices"].items():
            files: dict[str, list[dict[str, Any]]] = {}
            for row in document.get("results", ()):
                files.setdefault(row["file"], []).append(row)
            for rows in files.values():
                yield name, min(rows, key=lambda row: _latency(row) or 0.0)


def _disturbed(document: dict[str, Any]) -> list[str]:
    """What disturbed the latencies that were measured: other work, throttling."""
    if "machine" not in document or all(row.get("p50_ms") is None for row in document["results"]):
        return []
    warning, around = busy(document["machine"]), document.get("conditions")
    found = conditions.remarks(around, document["machine"]["cores"]) if around else []
    return found if warning is None else [warning, *found]


def _latency(row: dict[str, Any]) -> float | None:
    measured = row.get("p50_ms")
    return row.get("estimated_ms") if measured is None else measured
