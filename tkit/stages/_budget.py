"""Whether measured figures keep a budget."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tkit.bench_config import Budget


def overspent(budget: Budget, results: list[dict[str, Any]]) -> list[str]:
    """What of the rows that `tkit_edge.bench` gave is past the budget, one line each; figures that are missing are.

    Args:
        budget: the bounds.
        results: of all files and configurations.
    """
    return list(_overspent(budget, results))


def _overspent(budget: Budget, results: list[dict[str, Any]]) -> Iterator[str]:
    if budget == Budget():
        return
    own = [row for row in results if row["format"] == budget.format]
    if not own:
        yield f"{budget.format}: not measured, so its budget can't be judged"
        return
    file, p50 = own[0]["file"], min(row["p50_ms"] for row in own)
    if budget.bytes is not None and own[0]["bytes"] > budget.bytes:
        yield f"{file}: {own[0]['bytes']:,} bytes, at most {budget.bytes:,}"
    if budget.p50_ms is not None and not p50 <= budget.p50_ms:
        yield f"{file}: p50 {p50:.3f} ms, at most {budget.p50_ms:.3f}"
    if budget.p50_ratio is not None:
        yield from _slower(budget, file, p50, results)
    memory = max(row["peak_memory"] for row in own)
    if budget.peak_memory is not None and memory > budget.peak_memory:
        yield f"{file}: peak memory {memory:,} bytes, at most {budget.peak_memory:,}"
    if budget.accuracy is not None:
        score = own[0]["score"]
        if score is None or score["name"] != "accuracy":
            yield f"{file}: accuracy was not measured, at least {budget.accuracy:.2%}"
        elif not score["value"] >= budget.accuracy:
            yield (
                f"{file}: accuracy {score['value']:.2%} on {score['samples']:,} test examples, at least "
                f"{budget.accuracy:.2%}"
            )


def _slower(budget: Budget, file: str, p50: float, results: list[dict[str, Any]]) -> Iterator[str]:
    name = Path(budget.reference).name
    rows = [row for row in results if budget.reference == row["format"] or (name == row["file"] and not row["format"])]
    if not rows:
        yield f"{file}: its reference {budget.reference} was not measured"
        return
    reference = min(row["p50_ms"] for row in rows)
    if not p50 <= budget.p50_ratio * reference:
        yield (
            f"{file}: p50 {p50 / reference:.2f} times that of {budget.reference} ({p50:.3f} and {reference:.3f} ms), "
            f"at most {budget.p50_ratio:g}"
        )
