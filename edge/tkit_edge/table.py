"""Aligned columns, and the report of a measurement as such a table: one row per configuration."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from tkit_edge.notes import remarks, score_text, scores, uncertainty
from tkit_edge.report import Report
from tkit_edge.text import columns, counted, figure, fitted, padded

_COLUMNS = (
    *("file", "size KB", "MACs M", "threads", "kernels", "load ms", "first ms"),
    *("p50", "p90", "p99", "runs/s", "peak MB"),
)
_NEWER = {"± %": "p50_interval_ms", "min to p99": "histogram", "steady MB": "steady_memory", "mJ": "energy"}
"""Columns that are there where a row has the key: older documents don't."""
_SPARE = ("min to p99", "steady MB", "first ms", "load ms", "p99", "MACs M", "peak MB", "p90", "runs/s")
_BLOCKS = " ▁▂▃▄▅▆▇█"


def table(report: Report, width: int | None = None) -> str:
    """What was measured on what, in aligned columns; see `document_table`."""
    return document_table(report.as_dict(), width)


def document_table(report: dict[str, Any], width: int | None = None) -> str:
    """The table of a report's JSON document.

    Args:
        report: what `Report.as_dict` gives.
        width: of the terminal; the least important columns are left out until the others fit, by default none.
    """
    rows = cells(report)
    spare = [rows[0].index(name) for name in _SPARE if name in rows[0]]
    lines = aligned(rows, left=(0, 4), width=width, spare=spare)
    found = [*remarks(report), *scores(report)]
    below = ["", *(fitted(note, width) for note in found)] if found else []
    below += [line for times in report.get("operators", ()) for line in ("", *operator_table(times, width))]
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
    results = report["results"]
    names = [result["score"]["name"] for result in results if result["score"] is not None]
    newer = [name for name, key in _NEWER.items() if any(result.get(key) is not None for result in results)]
    return [(*_COLUMNS, *newer, *names[:1]), *(_row(result, newer, bool(names)) for result in results)]


def operator_table(times: dict[str, Any], width: int | None = None) -> list[str]:
    """The lines of `operators.OperatorTimes`' JSON values: a row per operator."""
    where = f"{times['file']}, {counted(times['threads'], 'thread')}, {times['kernels']}"
    title = f"{where}: {figure(1e3 * times['total_ms'])} µs; operators by timing prefixes of the file"
    rows = [("no.", "operator", "µs", "95 %", "share", "output")]
    for item in times["operators"]:
        low, high = (figure(1e3 * end) for end in item["interval_ms"])
        time = figure(1e3 * item["time_ms"])
        output = item["output"].partition(";")[0]  # the converter lists all that it fused
        rows.append((str(item["number"]), item["name"], time, f"{low} to {high}", f"{item['share']:.1%}", output))
    return [fitted(title, width), *aligned(rows, left=(1, 5), width=width, spare=(5, 3))]


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


def _row(result: dict[str, Any], newer: Sequence[str], scored: bool) -> tuple[str, ...]:
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
        *("-" if result[_NEWER[name]] is None else _newer(name, result) for name in newer),
        *last,
    )


def _newer(name: str, result: dict[str, Any]) -> str:
    if name == "± %":
        return f"{100 * uncertainty(result):.1f}"
    if name == "min to p99":
        return _blocks(result["histogram"]["counts"])
    if name == "steady MB":
        return f"{result['steady_memory'] / 1e6:.1f}"
    return figure(result["energy"]["millijoules"])


def _blocks(counts: Sequence[int]) -> str:
    """A histogram in a line, two bins a character."""
    pairs = [sum(counts[start : start + 2]) for start in range(0, len(counts), 2)]
    steps = len(_BLOCKS) - 1
    return "".join(_BLOCKS[-(-count * steps // max(*pairs, 1))] for count in pairs)
