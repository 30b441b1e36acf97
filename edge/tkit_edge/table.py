"""Aligned columns, and the report of a measurement as such a table: one row per configuration."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from tkit_edge.machine import busy
from tkit_edge.report import Report
from tkit_edge.text import columns, counted, figure, fitted, padded

_COLUMNS = (
    *("file", "size KB", "MACs M", "threads", "kernels", "load ms", "first ms"),
    *("p50", "p90", "p99", "runs/s", "peak MB"),
)
_SPARE = ("first ms", "load ms", "p99", "MACs M", "peak MB", "p90", "runs/s")


def table(report: Report, width: int | None = None) -> str:
    """What was measured on what, in aligned columns; see `document_table`."""
    return document_table(report.as_dict(), width)


def document_table(report: dict[str, Any], width: int | None = None) -> str:
    """The table of a report's JSON document.

    Args:
        report: what `Report.as_dict` gives.
        width: of the terminal; the least important columns are left out until the others fit, by default none.
    """
    lines = aligned(cells(report), left=(0, 4), width=width, spare=[_COLUMNS.index(name) for name in _SPARE])
    found = [*remarks(report), *_scores(report)]
    below = ["", *(fitted(note, width) for note in found)] if found else []
    return "\n".join([fitted(heading(report), width), "", *lines, *below])


def heading(report: dict[str, Any]) -> str:
    """On what was measured, and with which runtime."""
    machine, runtime = report["machine"], report["runtime"]
    governor = f", governor {machine['governor']}" if machine["governor"] else ""
    cores = counted(machine["cores"], "core")
    where = f"{machine['board'] or machine['cpu']}, {cores}, {machine['arch']}{governor}"
    return f"{where}; {runtime['name']} {runtime['version']}, Python {report['python']}"


def cells(report: dict[str, Any]) -> list[tuple[str, ...]]:
    """The table's header, and a row per configuration."""
    scores = [result["score"]["name"] for result in report["results"] if result["score"] is not None]
    return [(*_COLUMNS, *scores[:1]), *(_row(result, bool(scores)) for result in report["results"])]


def aligned(
    rows: Sequence[Sequence[str]], left: Sequence[int] = (0,), width: int | None = None, spare: Sequence[int] = ()
) -> list[str]:
    """Rows of cells as lines, each column as wide as its widest cell.

    Args:
        rows: the header, then the rows.
        left: the columns of text.
        width: that lines may have; without it, all columns stand side by side.
        spare: columns that are left out one after the other while lines are too long, with a note. Where that is not
            enough, each row is a block of lines, a cell in each.
    """
    widths = [max(columns(row[column]) for row in rows) for column in range(len(rows[0]))]
    shown = list(range(len(widths)))
    dropped: list[str] = []
    for column in spare:
        if _fits(widths, shown, width):
            break
        shown.remove(column)
        dropped.append(rows[0][column])
    if not _fits(widths, shown, width):
        return _stacked(rows)
    lines = [
        "  ".join(padded(row[column], widths[column], right=column not in left) for column in shown).rstrip()
        for row in rows
    ]
    return [*lines, *([fitted(f"not shown at this width: {', '.join(dropped)}", width)] if any(dropped) else [])]


def _fits(widths: Sequence[int], shown: Sequence[int], width: int | None) -> bool:
    return width is None or sum(widths[column] + 2 for column in shown) - 2 <= width


def _stacked(rows: Sequence[Sequence[str]]) -> list[str]:
    header = rows[0]
    label = max(map(columns, header))
    lines = []
    for row in rows[1:]:
        lines += [row[0], *(f"  {padded(name, label)}  {cell}" for name, cell in zip(header[1:], row[1:]))]
    return lines


def _row(result: dict[str, Any], scored: bool) -> tuple[str, ...]:
    score, rate = result["score"], result["runs_per_second"]
    last = ["-" if score is None else score_text(score, score["value"])] if scored else []
    return (
        result["file"],
        f"{result['bytes'] / 1000:,.1f}",
        "-" if result["macs"] is None else f"{result['macs'] / 1e6:,.3f}",
        str(result["threads"]),
        result["kernels"],
        f"{result['load_ms']:.1f}",
        *(f"{result[name]:.3f}" for name in ("first_ms", "p50_ms", "p90_ms", "p99_ms")),
        f"{rate:,.0f}" if rate >= 10 else f"{rate:.2f}",
        f"{result['peak_memory'] / 1e6:.1f}",
        *last,
    )


def score_text(score: dict[str, Any], value: float | None) -> str:
    """A score's value, or an end of its interval."""
    if value is None:
        return "not finite"
    return f"{value:.2%}" if score["share"] else figure(value)


def remarks(report: dict[str, Any]) -> list[str]:
    """What else was noticed: a busy machine, and how long an example takes to be read."""
    found = []
    warning = busy(report["machine"])
    if warning:
        found.append(warning)
    if reading := report.get("reading"):
        found.append(
            f"{reading['example']}s are read in {figure(reading['p50_ms'])} ms each, which isn't in the times above"
        )
    return found


def _scores(report: dict[str, Any]) -> list[str]:
    """Each file's score, with its interval."""
    found = []
    for result in {item["file"]: item for item in report["results"]}.values():
        score = result["score"]
        if score is not None:
            value, low, high = (score_text(score, number) for number in (score["value"], *score["interval"]))
            interval = "" if None in score["interval"] else f" (95 % {low} to {high})"
            found.append(
                f"{result['file']}: {score['name']} {value} {'of' if score['share'] else 'on'} "
                f"{counted(score['samples'], 'test example')}{interval}; {score['kernels']}, "
                f"{counted(score['threads'], 'thread')}"
            )
    return found
