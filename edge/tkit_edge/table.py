"""A report as plain text: a row for each configuration."""

from __future__ import annotations

from collections.abc import Sequence

from tkit_edge.bench import Report, Result
from tkit_edge.machine import busy

_COLUMNS = (
    *("file", "size KB", "MACs M", "threads", "kernels", "load ms", "first ms"),
    *("p50", "p90", "p99", "runs/s", "peak MB", "accuracy"),
)


def table(report: Report) -> str:
    """What was measured on what, in aligned columns."""
    rows = [_COLUMNS, *(_row(result) for result in report.results)]
    lines = aligned(rows, left=(0, 4))
    machine = report.machine
    governor = f", governor {machine['governor']}" if machine["governor"] else ""
    where = f"{machine['board'] or machine['cpu']}, {machine['cores']} cores, {machine['arch']}{governor}"
    head = f"{where}; {report.runtime['name']} {report.runtime['version']}, Python {report.python}"
    return "\n".join([head, "", *lines, *_notes(report)])


def aligned(rows: Sequence[Sequence[str]], left: Sequence[int] = (0,)) -> list[str]:
    """Rows of cells as lines, each column as wide as its widest cell; `left` are the columns of text."""
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    return [
        "  ".join(
            cell.ljust(width) if column in left else cell.rjust(width)
            for column, (cell, width) in enumerate(zip(row, widths))
        ).rstrip()
        for row in rows
    ]


def _row(result: Result) -> tuple[str, ...]:
    accuracy = result.accuracy
    return (
        result.file,
        f"{result.bytes / 1000:,.1f}",
        "-" if result.macs is None else f"{result.macs / 1e6:,.3f}",
        str(result.threads),
        result.kernels,
        f"{result.load_ms:.1f}",
        *(f"{value:.3f}" for value in (result.first_ms, result.p50_ms, result.p90_ms, result.p99_ms)),
        f"{result.runs_per_second:,.0f}" if result.runs_per_second >= 10 else f"{result.runs_per_second:.2f}",
        f"{result.peak_memory / 1e6:.1f}",
        "-" if accuracy is None else f"{accuracy.top1:.2%}",
    )


def _notes(report: Report) -> list[str]:
    notes = []
    warning = busy(report.machine)
    if warning:
        notes.append(warning)
    for result in {item.file: item for item in report.results}.values():
        accuracy = result.accuracy
        if accuracy is not None:
            low, high = accuracy.interval
            notes.append(
                f"{result.file}: accuracy {accuracy.top1:.2%} (95 % {low:.2%} to {high:.2%}) on "
                f"{accuracy.samples:,} pictures; {accuracy.kernels}, threads: {accuracy.threads}"
            )
    return ["", *notes] if notes else []
