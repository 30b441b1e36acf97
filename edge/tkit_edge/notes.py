"""What a reader of a measurement should know beside its table, in sentences."""

from __future__ import annotations

from typing import Any

from tkit_edge import conditions
from tkit_edge.machine import busy
from tkit_edge.text import counted, figure


def remarks(report: dict[str, Any]) -> list[str]:
    """What was noticed: how well the figures are known, what disturbed them, and what isn't in them.

    Args:
        report: a bench's JSON document, of any version.
    """
    warning = busy(report["machine"])
    found = [] if warning is None else [warning]
    if around := report.get("conditions"):
        found += conditions.remarks(around, report["machine"]["cores"])
    if "precision" in report:
        found.append(_imprecise(report))
    found += _best_threads(report["results"])
    if start := report.get("start"):
        found.append(f"a process starts in {start['p50_ms']:,.0f} ms: Python, numpy and the runtime")
    if power := report.get("power"):
        idle = "not known" if power["idle_watts"] is None else f"{figure(power['idle_watts'])} W"
        found.append(f"mJ: of one inference, by {power['name']}, less what the machine takes idle ({idle})")
        if power["idle_watts"] is None or any(row["energy"] is None for row in report["results"]):
            found.append("energies are missing where the meter gave fewer than 3 readings: give more --seconds")
    if reading := report.get("reading"):
        found.append(
            f"{reading['example']}s are read in {figure(reading['p50_ms'])} ms each, which isn't in the times above"
        )
    return found


def uncertainty(row: dict[str, Any]) -> float:
    """Half of the interval of a row's p50, as a share of its middle."""
    low, high = row["p50_interval_ms"]
    return (high - low) / max(high + low, 1e-12)


def _imprecise(report: dict[str, Any]) -> str:
    rows, wanted = report["results"], f"{figure(100 * report['precision'])} %"
    wide = [row for row in rows if not row["precise"]]
    if not wide:
        return f"each p50 is known within {wanted} (± %: 95 % interval of the rounds' medians)"
    return (
        f"The p50 of {len(wide)} of {counted(len(rows), 'row')} is not known within {wanted} after "
        f"{report['most_seconds']:g} s, the worst ±{max(map(uncertainty, wide)):.1%} (± %: 95 % interval of the "
        "rounds' medians): the machine wasn't steady. More --most-seconds may help."
    )


def _best_threads(rows: list[dict[str, Any]]) -> list[str]:
    """The fewest threads on which each file is as fast as on any, as far as the intervals tell."""
    groups: dict[tuple[str, str], list[dict[str, Any]]] = {}
    for row in rows:
        if "p50_interval_ms" in row:
            groups.setdefault((row["file"], row["kernels"]), []).append(row)
    found = []
    for (file, kernels), own in groups.items():
        limit = min(own, key=lambda row: row["p50_ms"])["p50_interval_ms"][1]
        best = min((row for row in own if row["p50_interval_ms"][0] <= limit), key=lambda row: row["threads"])
        one = min(own, key=lambda row: row["threads"])
        gain = "" if best is one else f" ({one['p50_ms'] / best['p50_ms']:.2f} x)"
        if len(own) > 1:
            found.append(f"{file} {kernels} {best['threads']}{gain}")
    return [f"best thread counts: {', '.join(found)}"] if found else []


def scores(report: dict[str, Any]) -> list[str]:
    """Each file's score, with its interval; that of golden samples says how few they are."""
    found = []
    for result in {item["file"]: item for item in report["results"]}.values():
        golden = result.get("golden")
        score = result["score"] or golden
        if score is None:
            continue
        value, low, high = (score_text(score, number) for number in (score["value"], *score["interval"]))
        interval = "" if None in score["interval"] else f" (95 % {low} to {high})"
        samples = counted(score["samples"], "golden sample" if score is golden else "test example")
        found.append(
            f"{result['file']}: {score['name']} {value} {'of' if score['share'] else 'on'} {samples}{interval}; "
            f"{score['kernels']}, {counted(score['threads'], 'thread')}"
        )
    return found


def score_text(score: dict[str, Any], value: float | None) -> str:
    """A score's value, or an end of its interval."""
    if value is None:
        return "not finite"
    return f"{value:.2%}" if score["share"] else figure(value)
