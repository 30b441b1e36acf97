"""What `tkit.why_int8` returns: the sites that cost an int8 model its accuracy, and what exceptions win back."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tkit.measures import drop_text, measure_of
from tkit.results.display import Display
from tkit.results.result import Result
from tkit_edge.text import counted

if TYPE_CHECKING:
    from matplotlib.axes import Axes


class WhyInt8Result(Result):
    """The diagnosis; its table has the sites, `["places"]`, the worst first."""

    def records(self) -> list[dict[str, Any]]:
        """A row per site."""
        return self["places"]

    def display(self) -> Display:
        """The sites with their causes, the two files, and the step with the exceptions."""
        suggested = self["suggested_step"]
        notes = [
            _file("int8", self["int8"]),
            *([] if suggested is None else [_file(f"int8 by {suggested}", self["with_exceptions"])]),
            *(f"{item['layer']} {item['part']}: {item['why']}" for item in self.records() if item["suspect"]),
        ]
        examples = counted(self["samples"], "validation example")
        return Display(
            title=f"{self['run']}, {self['variant']}: {self['step']} on {examples}",
            header=["layer", "part", "divergence", "same answer", "drop", "cause"],
            rows=[
                [
                    item["layer"],
                    item["part"],
                    f"{item['divergence']:.2e}",
                    f"{item['agreement']:.1%}",
                    drop_text(item),
                    item["cause"],
                ]
                for item in self.records()
            ],
            left=(0, 1, 5),
            spare=(3, 4),
            notes=notes,
        )

    def draw(self, axes: Axes) -> None:
        """A bar for each of the worst sites, coloured by cause."""
        from tkit.compression.diagnosis.site_bars import draw_sites

        draw_sites(axes, self.records())
        axes.set_xlabel("divergence from float when only this is rounded")
        axes.spines[["top", "right"]].set_visible(False)


def _file(name: str, figures: dict[str, Any]) -> str:
    measure = measure_of(figures)
    score = f"{measure.name} {measure.text(figures[measure.key])}" if measure else ""
    return f"{name}: {score}, drop {drop_text(figures)}, {figures['bytes']:,} bytes"
