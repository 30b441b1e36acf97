"""What `dcgan.py` measured, as its section of the page: figures beside what they are to be, then where they come from.

Rows of runs are named "RECIPE, WHAT".
"""

from __future__ import annotations

from statistics import mean
from typing import Any, NamedTuple

from _dcgan_sides import BATCH, KERAS, PYTORCH, SIDES, TKIT
from _sides import machine, ratios, table

DIGITS, CIFAR10 = "dcgan_digits", "dcgan_cifar10"
OWN, TUTORIAL = "the recipe's networks", "the networks of Keras's DCGAN tutorial"
Row = dict[str, Any]


class Goal(NamedTuple):
    """A figure, and what it is to be."""

    what: str
    figure: str
    wanted: str
    met: bool | None
    """None: nothing is asked of it."""


def page(speeds: dict[str, list[Row]], rows: list[Row]) -> tuple[str, list[Goal]]:
    """The page's section, and the figures with what they are to be."""
    goals = [*speed_goals(speeds), *digits_goals(rows), *cifar10_goals(rows), *int8_goals(rows)]
    verdicts = {True: "yes", False: "no", None: ""}
    lines = [f"| {what} | {figure} | {wanted} | {verdicts[met]} |" for what, figure, wanted, met in goals]
    summary = "\n".join(["| what | measured | wanted | met |", "| --- | --- | --- | --- |", *lines])
    body = f"""{summary}

Images a second in training, 32x32x3, batches of {BATCH}, the networks of `DCGAN()`, Adam.

{table(speeds, "images_per_second", against=TKIT)}"""
    if rows:
        body += f"""

Distances to the test images, those of one judge (its digest) comparable with each other only.

{distances_table(rows)}"""
    return body, goals


def distances_table(rows: list[Row]) -> str:
    """A row a run."""
    lines = [
        "| run | images | distance (95 %) | floor | ratio | covered | precision (real) | recall (real) | judge "
        "| minutes | on |"
    ]
    lines.append("| --- " * 11 + "|")
    for row in rows:
        low, high = row["interval"]
        name = row["run"] + (f", {row['epochs']} epochs" if "epochs" in row else "")
        shares = [f"{row[key]:.1%} ({row[f'real_{key}']:.1%})" for key in ("precision", "recall")]
        cells = [f"{row['samples']:,}", f"{row['distance']:.3g} ({low:.3g} to {high:.3g})", f"{row['floor']:.3g}"]
        cells += [f"{row['distance_to_floor']:.2f}", f"{row['covered']} of {row['of']}", *shares]
        lines.append(f"| {name} | {' | '.join(cells)} | {row['judge'][:8]} | {row['minutes']} | {machine(row)} |")
    return "\n".join(lines)


def speed_goals(speeds: dict[str, list[Row]]) -> list[Goal]:
    """tkit's engine against plain Keras, and against PyTorch as it is asked for and at its fastest."""
    against = {side: ratios(speeds, "images_per_second", TKIT, side) for side in SIDES}
    fastest = min((side for side in SIDES if "PyTorch" in side), key=against.__getitem__)
    what = f"DCGAN training, 32x32x3, batches of {BATCH}, images/s: tkit / "
    peers = {KERAS: 1.5, PYTORCH: 1.0, fastest: 1.0}
    return [
        Goal(f"{what}{side}", f"{against[side]:.2f} x", f"at least {least} x", against[side] >= least)
        for side, least in peers.items()
    ]


def digits_goals(rows: list[Row]) -> list[Goal]:
    """The mean of the seeds; each has to reach the bounds."""
    own = [row for row in rows if row["run"].startswith(DIGITS)]
    if not own:
        return []
    values, fewest = [row["distance_to_floor"] for row in own], min(row["covered"] for row in own)
    what = f"`{DIGITS}`, {mean(row['training'] for row in own):.0f} s with its judge"
    figure = f"{mean(values):.2f} ({min(values):.2f} to {max(values):.2f})"
    return [
        Goal(f"{what}, distance / floor, mean of {len(own)} seeds (range)", figure, "at most 8", max(values) <= 8),
        Goal(f"{what}, digits covered, fewest of the seeds", f"{fewest} of 10", "10 of 10", fewest == 10),
    ]


def cifar10_goals(rows: list[Row]) -> list[Goal]:
    """The run, and both networks of each number of steps, as far as they are there."""
    own = [row for row in rows if row["run"].startswith(CIFAR10)]
    by_name = {row["run"]: row for row in own}
    goals = []
    for row in own:
        ratio = row["distance_to_floor"]
        if "epochs" in row:
            what = f"`{row['run'].replace(',', '`,', 1)} ({row['epochs']} epochs), distance / floor"
            goals.append(Goal(what, f"{ratio:.1f}", "", None))
        other = by_name.get(row["run"].replace(OWN, TUTORIAL))
        if row["run"].endswith(OWN) and other is not None:
            steps = row["run"].split(", ")[1].partition(" of ")[0]
            what = f"{steps} of `{CIFAR10}`'s networks and of those of Keras's DCGAN tutorial, distance / floor"
            theirs = other["distance_to_floor"]
            goals.append(Goal(what, f"{ratio:.1f} and {theirs:.1f}", "the first lower", ratio < theirs))
    return goals


def int8_goals(rows: list[Row]) -> list[Goal]:
    """Of each recipe's int8 files the means; each has to reach the bounds."""
    goals = []
    for recipe in (DIGITS, CIFAR10):
        files = [row["int8"] for row in rows if row["run"].startswith(recipe) and "int8" in row]
        if files:
            psnr, ratio, speedup = (mean(item[key] for item in files) for key in ("psnr", "ratio", "speedup"))
            clear = all(item["psnr"] >= 30 for item in files)
            near = all(abs(item["ratio"] - 1) <= 0.1 for item in files)
            fast = all(item["speedup"] >= 2 for item in files)
            what = f"`{recipe}`, int8 file of {files[0]['bytes']:,} bytes"
            goals += [
                Goal(f"{what}, PSNR against float", f"{psnr:.1f} dB", "at least 30 dB", clear),
                Goal(f"{what}, distance", f"{100 * (ratio - 1):+.1f} %", "within 10 %", near),
                Goal(f"{what}, latency float32 / int8, one thread", f"{speedup:.1f} x", "at least 2 x", fast),
            ]
    return goals
