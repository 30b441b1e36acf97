"""A result for people: a title, a table and remarks, as text or as HTML for a notebook."""

from __future__ import annotations

import base64
import html
import sys
from collections.abc import Sequence
from dataclasses import dataclass

from tkit_edge.table import aligned
from tkit_edge.text import terminal_width

TEXT_ROWS, HTML_ROWS = 8, 20


@dataclass(frozen=True)
class Display:
    """What is shown of a result."""

    title: str
    header: Sequence[str]
    rows: Sequence[Sequence[str]]
    left: Sequence[int] = (0,)
    """The columns of text, the others being of numbers."""
    spare: Sequence[int] = ()
    """The columns that a narrow terminal leaves out, the first of them first."""
    notes: Sequence[str] = ()

    def text(self, most: int = TEXT_ROWS) -> str:
        """At most `most` rows, in the columns that fit the terminal."""
        lines = [self.title]
        if self.rows:
            table = [self.header, *self.rows[:most]]
            lines += aligned(table, left=self.left, width=terminal_width(sys.stdout), spare=self.spare)
        return "\n".join([*lines, *self._omitted(most), *self.notes])

    def html(self, plot: bytes | None = None) -> str:
        """The first `HTML_ROWS` rows, over the PNG `plot`; names from files are escaped.

        Without style sheets or SVG, which notebook viewers remove.
        """
        parts = [f"<p><b>{html.escape(self.title)}</b></p>"]
        if self.rows:
            head = f"<thead>{self._row('th', self.header)}</thead>"
            body = "".join(self._row("td", row) for row in self.rows[:HTML_ROWS])
            parts.append(f"<table>{head}<tbody>{body}</tbody></table>")
        notes = [html.escape(note) for note in (*self._omitted(HTML_ROWS), *self.notes)]
        parts += [f"<p>{'<br>'.join(notes)}</p>"] if notes else []
        if plot is not None:
            parts.append(f'<img alt="plot" src="data:image/png;base64,{base64.b64encode(plot).decode()}">')
        return f"<div>{''.join(parts)}</div>"

    def _row(self, tag: str, cells: Sequence[str]) -> str:
        sides = ("left" if column in self.left else "right" for column in range(len(cells)))
        made = (
            f'<{tag} style="text-align: {side}">{html.escape(cell)}</{tag}>'
            for side, cell in zip(sides, cells, strict=True)
        )
        return f"<tr>{''.join(made)}</tr>"

    def _omitted(self, shown: int) -> list[str]:
        more = len(self.rows) - shown
        return [f"and {more} more: to_dataframe() has all"] if more > 0 else []
