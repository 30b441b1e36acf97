"""What `tkit.evaluate` returns: how good a model is, and of what."""

from __future__ import annotations

import importlib
from itertools import takewhile
from typing import TYPE_CHECKING, Any

from tkit.results.display import Display
from tkit.results.result import Result
from tkit_edge.text import counted, figure

if TYPE_CHECKING:
    from matplotlib.axes import Axes


class EvaluateResult(Result):
    """The figures, as evaluate.json has them; the table is of classes, where the model tells them apart."""

    def records(self) -> list[dict[str, Any]]:
        """A row per class, of made images with its share; of a number one row with all figures."""
        if self["output"] == "classes":
            return self["per_class"]
        if self["output"] == "image" and self["modes"] is not None:
            return self["modes"]["per_class"]
        return [{key: value for key, value in self.items() if isinstance(value, int | float) and key != "version"}]

    def display(self) -> Display:
        """The figures in words, over a table."""
        kind = importlib.import_module(f"tkit.evaluation.{self['output']}")
        head = list(takewhile(bool, kind.lines(self, None)))
        written = [f"{self['folder']}: evaluate.json and plots"] if self["folder"] else []
        title = (
            f"{self['model']['file']} on {counted(self['samples'], self['split'] + ' ' + self['example'])} of "
            f"{self['data']}"
        )
        header, rows = self._table()
        return Display(title, header, rows, notes=[*head, *written])

    def _table(self) -> tuple[list[str], list[list[str]]]:
        """Of classes the weakest, of numbers the largest errors, of made images the figures beside real ones."""
        if self["output"] == "classes":
            return ["class", "precision", "recall", "F1", f"{self['example']}s"], [
                [row["name"], *(f"{row[key]:.1%}" for key in ("precision", "recall", "f1")), f"{row['support']:,}"]
                for row in sorted(self["per_class"], key=lambda row: row["f1"])
            ]
        if self["output"] == "number":
            return [self["example"], "true", "predicted"], [
                [item["file"] or f"{item['index']:,}", figure(item["true"]), figure(item["predicted"])]
                for item in self["mistakes"]
            ]
        pairs = {"distance": "floor", "kernel distance": "kernel_floor"} | {
            name: f"real_{name}" for name in ("precision", "recall")
        }
        return ["", "samples", "real images"], [
            [name, figure(self[name.replace(" ", "_")]), figure(self[real])] for name, real in pairs.items()
        ]

    def draw(self, axes: Axes) -> None:
        """The confusion matrix; of numbers the largest errors; of made images the share of each class."""
        kind = self["output"]
        if kind == "classes":
            self._draw_confusion(axes)
        elif kind == "number":
            true, predicted = ([item[key] for item in self["mistakes"]] for key in ("true", "predicted"))
            ends = [min(*true, *predicted), max(*true, *predicted)]
            axes.plot(ends, ends, "--", color="grey")
            axes.scatter(true, predicted, s=12)
            axes.set(xlabel="true number", ylabel="predicted number", title=f"the {len(true)} largest errors")
        elif self["modes"] is not None:
            from tkit.evaluation.sample_plots import draw_shares

            draw_shares(axes, self["modes"]["per_class"], self["samples"], self["split"])
        else:
            axes.barh(["real images", "samples"], [self["floor"], self["distance"]], color=["lightgrey", "tab:blue"])
            axes.set_xlabel("distance to real images")

    def _draw_confusion(self, axes: Axes) -> None:
        import numpy as np

        from tkit.evaluation.plots import COUNTED, draw_confusion
        from tkit.plotting import all_shortened, lettering

        matrix = np.array(self["confusion"])
        axes.figure.colorbar(draw_confusion(axes, matrix), ax=axes, format=lambda value, _: f"{value:.0%}")
        if len(matrix) <= COUNTED:
            with lettering([row["name"] for row in self["per_class"]]) as (names, _):
                places, labels = range(len(matrix)), all_shortened(names, 14)
                axes.set_xticks(places, labels, rotation=90, fontsize=7)
                axes.set_yticks(places, labels, fontsize=7)
        axes.set(xlabel="predicted class", ylabel="true class")
