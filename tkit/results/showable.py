"""The base of what people look at: shown as text and in a notebook, drawn, and had as a pandas DataFrame."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any

from tkit.results.display import Display
from tkit_edge.errors import InputError

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from pandas import DataFrame

_INCHES, _DPI = (5.2, 2.6), 90


class Showable(ABC):
    """A notebook shows its table and its plot, a terminal the first rows of the table."""

    @abstractmethod
    def display(self) -> Display:
        """What is shown of it."""

    @abstractmethod
    def records(self) -> list[dict[str, Any]]:
        """The rows of its DataFrame."""

    @abstractmethod
    def draw(self, axes: Axes) -> None:
        """Draws its plot."""

    def to_dataframe(self) -> DataFrame:
        """Its rows as a pandas DataFrame.

        Raises:
            InputError: pandas is not installed.
        """
        try:
            from pandas import DataFrame
        except ImportError as error:
            raise InputError("to_dataframe() needs pandas: pip install pandas") from error
        return DataFrame(self.records())

    def plot(self, ax: Axes | None = None) -> Axes:
        """Its plot in `ax`, by default in a new figure; returns the axes."""
        if ax is None:
            from matplotlib import pyplot

            _, ax = pyplot.subplots(layout="constrained")
        self.draw(ax)
        return ax

    def __repr__(self) -> str:
        return self.display().text()

    def _repr_html_(self) -> str:
        shown = self.display()
        return shown.html(self._png() if shown.rows else None)

    def _png(self) -> bytes | None:
        """The plot; None where there is nothing to draw."""
        from matplotlib.figure import Figure

        from tkit.plotting import png

        figure = Figure(figsize=_INCHES, layout="constrained")
        axes = figure.subplots()
        self.draw(axes)
        return png(figure, _DPI) if axes.has_data() else None
