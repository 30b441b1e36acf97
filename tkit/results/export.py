"""What `tkit.export` returns: the figures of each file that passed the parity gate."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tkit.measures import drop_text, measure_of
from tkit.results.display import Display
from tkit.results.result import Result
from tkit_edge.text import counted

if TYPE_CHECKING:
    from matplotlib.axes import Axes


class ExportResult(Result):
    """The stage's manifest entry with `run` and `variant`; `["metrics"]` has the figures by format."""

    def records(self) -> list[dict[str, Any]]:
        """A row per file."""
        return [{"format": fmt, **figures} for fmt, figures in self["metrics"].items()]

    def display(self) -> Display:
        """Each file beside the Keras model, and what was left out."""
        rows = self.records()
        measure, same = measure_of(rows[0]), next(key for key in rows[0] if key.startswith("same_"))
        of = counted(rows[0].get(f"{measure.key}_samples" if measure else "", rows[0]["samples"]), "validation example")
        score = measure.name if measure else "agreement"
        cells = [
            [
                row["format"],
                f"{row['bytes'] / 1e3:,.1f}",
                measure.text(row[measure.key]) if measure and measure.key in row else "-",
                drop_text(row),
                f"{row[same]:.1%}",
                f"{row['max_difference']:.1e}",
            ]
            for row in rows
        ]
        return Display(
            title=f"{self['run']}: {self['variant']}, exported",
            header=["format", "size KB", score, "drop", same.replace("_", " "), "largest difference"],
            rows=cells,
            spare=(5, 4),
            notes=[
                f"{score.capitalize()}: on {of}; drop against the Keras model, with its 95 % interval.",
                *(f"{fmt} left out: {reason}" for fmt, reason in self["left_out"].items()),
            ],
        )

    def draw(self, axes: Axes) -> None:
        """A bar for the size of each file, with its score."""
        rows = self.records()[::-1]
        measure = measure_of(rows[0])
        bars = axes.barh([row["format"] for row in rows], [row["bytes"] / 1e3 for row in rows], color="tab:blue")
        if measure is not None:
            labels = [measure.text(row[measure.key]) if measure.key in row else "" for row in rows]
            axes.bar_label(bars, labels, padding=3, fontsize=8)
        axes.margins(x=0.15)
        axes.set_xlabel("KB" if measure is None else f"KB; beside each bar the {measure.name}")
        axes.spines[["top", "right"]].set_visible(False)
