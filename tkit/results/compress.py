"""What `tkit.compress` returns: the new variant and its ledger."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tkit.compression import ledger_table
from tkit.measures import measure_of
from tkit.results.display import Display
from tkit.results.result import Result

if TYPE_CHECKING:
    from matplotlib.axes import Axes


class CompressResult(Result):
    """The stage's manifest entry with `run` and `variant`; its table is the ledger, `["metrics"]["ledger"]`."""

    def records(self) -> list[dict[str, Any]]:
        """The ledger: a row for the model before compression, and one per step."""
        return self["metrics"]["ledger"]

    def display(self) -> Display:
        """The ledger, and what each step gained."""
        rows = self.records()
        measure = measure_of(rows[0])
        assert measure is not None  # every ledger has one
        head, *cells = ledger_table.table(rows, measure)
        title = f"{self['run']}: {self['variant']}, {self['parameters']:,} parameters"
        return Display(title, head, cells, spare=ledger_table.SPARE, notes=self["metrics"]["verdicts"])

    def draw(self, axes: Axes) -> None:
        """The score against the zip's size, step after step."""
        rows = self.records()
        measure = measure_of(rows[0])
        assert measure is not None
        sizes, scores = [row["zip_bytes"] / 1e3 for row in rows], [row[measure.key] for row in rows]
        ends = list(zip(*(row["interval"] for row in rows), strict=True))
        spread = [[abs(score - end) for score, end in zip(scores, side, strict=True)] for side in ends]
        axes.errorbar(sizes, scores, spread, fmt="o-", color="tab:blue", ecolor="lightgrey", capsize=2)
        for row, size, score in zip(rows, sizes, scores, strict=True):
            axes.annotate(row["step"], (size, score), (4, 4), textcoords="offset points", fontsize=8)
        axes.set_xlim(left=0)
        axes.margins(x=0.25)
        axes.set(xlabel="zip of the int8 file, KB", ylabel=measure.name)
        axes.spines[["top", "right"]].set_visible(False)
