"""What `tkit.bench` and `tkit.bench_file` return: latency, memory and score of each file and configuration."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tkit.results.display import Display
from tkit.results.result import Result
from tkit_edge.notes import remarks
from tkit_edge.table import cells, document_table, heading
from tkit_edge.text import counted

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_HIDDEN = ("MACs M", "load ms", "first ms", "p99", "steady MB", "min to p99")
"""Columns that only the whole table has."""
_NESTED = ("score", "golden", "histogram", "energy")
"""Parts of a row that are no columns."""
_BARS = 10
"""Rows up to which each has a bar."""


class BenchResult(Result):
    """The stage's manifest entry with `run` and `variant`; of a file that no run has, its path, `file`, instead.

    `["metrics"]` is what tkit-edge reports.
    """

    @property
    def metrics(self) -> dict[str, Any]:
        """What tkit-edge reports, as JSON values."""
        return self["metrics"]

    @property
    def table(self) -> str:
        """All of it as a table for a terminal."""
        return document_table(self.metrics)

    def records(self) -> list[dict[str, Any]]:
        """A row per file and configuration, `score` as columns."""
        return [_flat(row) for row in self.metrics["results"]]

    def display(self) -> Display:
        """The table without its least important columns."""
        head, *rows = cells(self.metrics)
        kept = [column for column, name in enumerate(head) if name not in _HIDDEN]
        what = f"{self['run']}: {self['variant']}" if "run" in self else self["file"]
        return Display(
            title=f"{what}, measured on {heading(self.metrics)}",
            header=[head[column] for column in kept],
            rows=[[row[column] for column in kept] for row in rows],
            left=(0, 3),
            notes=[*remarks(self.metrics), "p50 and p90 in ms"],
        )

    def draw(self, axes: Axes) -> None:
        """A bar for the median latency of each row, with its 90th percentile; of many, those on one thread."""
        rows = self.metrics["results"][::-1]
        if len(rows) > _BARS:
            rows = [row for row in rows if row["threads"] == min(item["threads"] for item in rows)]
        names = [
            f"{row['format'] or row['file']}, {counted(row['threads'], 'thread')}, {row['kernels']}" for row in rows
        ]
        medians = [row["p50_ms"] for row in rows]
        beyond = [max(0.0, row["p90_ms"] - row["p50_ms"]) for row in rows]
        places = range(len(rows))
        axes.barh(places, medians, xerr=[[0.0] * len(rows), beyond], color="tab:blue", ecolor="grey", capsize=2)
        axes.set_yticks(places, [name.replace("$", r"\$") for name in names], fontsize=8)
        axes.set_xlabel("p50 in ms; whiskers to p90")
        axes.spines[["top", "right"]].set_visible(False)


def _flat(row: dict[str, Any]) -> dict[str, Any]:
    score, energy = row["score"] or {}, row.get("energy") or {}
    flat = {key: value for key, value in row.items() if key not in _NESTED}
    flat |= {key: value for key, value in energy.items() if key == "millijoules"}
    if score:
        flat |= {score["name"].replace(" ", "_"): score["value"]}
        flat |= {key: score[key] for key in ("interval", "samples")}
    return flat
