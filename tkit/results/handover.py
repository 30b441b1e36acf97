"""What `tkit.hand_over` returns: the files that were written, and their figures."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tkit.results.display import Display
from tkit.results.result import Result

if TYPE_CHECKING:
    from matplotlib.axes import Axes


class HandoverResult(Result):
    """`["kind"]`, `["folder"]`, `["files"]` and the kind's `["metrics"]`."""

    def records(self) -> list[dict[str, Any]]:
        """A row of its figures."""
        return [{"kind": self["kind"], "folder": self["folder"], **self["metrics"]}]

    def display(self) -> Display:
        """The files."""
        rows = [[name] for name in self["files"]]
        return Display(title=f"{self['folder']}: {self['metrics']['line']}", header=["file"], rows=rows)

    def draw(self, axes: Axes) -> None:
        """Nothing: files have no plot."""
