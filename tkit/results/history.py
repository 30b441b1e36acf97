"""What each epoch of a training reached: `Run.history`, from history.csv."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tkit.results.display import Display
from tkit.results.result import Result
from tkit_edge.errors import InputError
from tkit_edge.text import counted, figure

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_LAST = 5  # epochs that are shown
_FIRST_COLUMNS = ("epoch", "loss", "val_loss")
_OTHERS = ("learning_rate", "images_per_second", "seconds")


class History(Result):
    """A list of values by column, as Keras's `History.history`: `epoch`, `loss`, `val_accuracy`, ..."""

    @classmethod
    def read(cls, path: Path) -> History:
        """The history in a file.

        Raises:
            InputError: there is none, or it holds something else.
        """
        try:
            with open(path, newline="", encoding="utf-8") as file:
                rows = [{name: float(value) for name, value in row.items()} for row in csv.DictReader(file)]
            if not rows:
                raise InputError(f"{path} has no epoch yet.")
            return cls({name: [row[name] for row in rows] for name in rows[0]})
        except FileNotFoundError as error:
            raise InputError(f"{path} isn't there: the run has no history, only a training writes one.") from error
        except (OSError, ValueError, TypeError, KeyError) as error:
            raise InputError(f"{path} is damaged: expected a header and a row of numbers per epoch.") from error

    def records(self) -> list[dict[str, Any]]:
        """A row per epoch."""
        return [dict(zip(self, row, strict=True)) for row in zip(*self.values(), strict=True)]

    def display(self) -> Display:
        """The last epochs."""
        names = sorted(self._curves(), key=lambda name: (name not in _FIRST_COLUMNS, name))
        names = ["epoch", *names]
        epochs = len(self["epoch"])
        rows = [[figure(row[name]) for name in names] for row in self.records()[-_LAST:]]
        title = counted(epochs, "epoch") + (f", of which the last {_LAST}" if epochs > _LAST else "")
        return Display(title, [name.replace("_", " ") for name in names], rows, left=())

    def draw(self, axes: Axes) -> None:
        """The losses, solid, and the scores, dashed and on an axis of their own; pale on training data."""
        curves = self._curves()
        bases = list(dict.fromkeys(name.removeprefix("val_") for name in curves))
        scores = axes.twinx() if any("loss" not in name for name in curves) else axes
        for name in curves:
            panel, style = (axes, "-") if "loss" in name else (scores, "--")
            pale = f"val_{name}" in self
            colour = f"C{bases.index(name.removeprefix('val_'))}"
            label = name.replace("_", " ")
            panel.plot(self["epoch"], self[name], style, label=label, color=colour, alpha=0.4 if pale else 1.0)
        axes.set(xlabel="epoch", ylabel="loss")
        handles = [*axes.get_lines(), *(scores.get_lines() if scores is not axes else ())]
        scores.legend(
            handles=handles, frameon=False, fontsize=8, ncols=4, loc="lower center", bbox_to_anchor=(0.5, 1.0)
        )

    def _curves(self) -> list[str]:
        return [name for name in self if name not in ("epoch", *_OTHERS)]
