"""What the rows of foreign_models.py come to: a summary, and the tables in docs/models.md."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from statistics import median
from typing import Any

import _report

from _foreign import Entry
from _foreign.way import FORMATS

PAGE = _report.DOCS / "models.md"
STEPS = ("pruned", "clustered", "quantized")
_HOW = (
    "Small models with each layer of Keras 3.15 that image networks have, the networks of Keras Applications, and "
    "classifiers as guides and users write them: evaluated, exported in all formats, compressed by "
    "`prune:sparsity=0.5 cluster:clusters=16 quantize:aware=true`, exported again (benchmarks/foreign_models.py). "
    "Where no accuracy stands, each step of compression trained a single step. "
    "`in float`: int8 computes it in float; `as it is`: it has no kernel that the step changes."
)
NO_PART = {
    "CategoryEncoding": "encodes categories",
    "CutMix": "mixes images with their labels in training, outside of a saved model",
    "Discretization": "puts numbers into bins",
    "Hashing": "hashes categories",
    "HashedCrossing": "crosses categories",
    "MaxNumBoundingBoxes": "pads bounding boxes",
    "MelSpectrogram": "takes sound",
    "MixUp": "mixes images with their labels in training, outside of a saved model",
    "ReversibleEmbedding": "ties a language model's input and output",
    "STFTSpectrogram": "takes sound",
}
"""Layers that tkit loads and that take no part in image classification."""


def summary(rows: Sequence[dict[str, Any]], known: Mapping[str, Entry]) -> str:
    """How many models came whole way through, what they lost, and why the others didn't come."""
    whole = [row for row in rows if not row["failure"]]
    lost = drops(rows)
    lines = [
        f"{len(whole)} of {len(rows)} models came whole way through ({len(known)} in the list), "
        f"{sum(row['seconds'] for row in rows) / 60:.0f} minutes in all.",
        f"Drop of {len(lost)} trained models: median {100 * median(lost):.2f} points, largest {100 * max(lost):.2f}."
        if lost
        else "No trained model among them.",
        *(f"- {row['name']}: {row['failure'].splitlines()[0]}" for row in rows if row["failure"]),
    ]
    return "\n".join(lines)


def drops(rows: Sequence[dict[str, Any]]) -> list[float]:
    """Accuracy that trained models lost from Keras to the compressed int8 file."""
    return [
        row["keras"] - row["export again files"]["int8"]["accuracy"]
        for row in rows
        if row.get("trained") and "int8" in row.get("export again files", {})
    ]


def publish(rows: Sequence[dict[str, Any]], known: Mapping[str, Entry]) -> None:
    """Puts the tables into docs/models.md, and how many came through into the README."""
    lost = drops(rows)
    whole = f"{sum(not row['failure'] for row in rows)} of {len(rows)}"
    figures = [
        ("models as Keras users write them: exported, pruned, clustered, trained on int8, exported again", whole)
    ]
    came = f"{whole} came whole way through"
    if lost:
        what = f"the {len(lost)} trained ones of them: accuracy lost on the whole way, median"
        figures.append((what, _points(median(lost))))
        came += (
            f"; of {len(lost)} trained ones the int8 file has lost {_points(median(lost))} at the median, "
            f"{_points(max(lost))} at most"
        )
    body = f"{_HOW} {came}; {len(known) - len(rows)} of the list weren't tried.\n\n{tables(rows, known)}"
    _report.publish("foreign_models", "What is taken", body, figures, {"all": rows}, page="models.md")


def _points(share: float) -> str:
    return f"{100 * share:.2f} points"


def tables(rows: Sequence[dict[str, Any]], known: Mapping[str, Entry]) -> str:
    """The matrix of layer kinds with its notes, the other models, and what is left out, in Markdown."""
    notes: dict[str, int] = {}
    matrix = lines(rows, known, notes)
    header = ["layer", *FORMATS, "prune", "cluster", "QAT"]
    others = sorted((row for row in rows if not known[row["name"]].kinds), key=lambda row: [*known].index(row["name"]))
    left = ", ".join(f"`{kind}` ({why})" for kind, why in NO_PART.items())
    return "\n".join(
        [
            *(_line(header), _line(["---"] * len(header)), *matrix, ""),
            *(f"{number}. {text}" for text, number in notes.items()),
            *_untried(rows, known),
            *("", _line(["model", "whole way", "accuracy before and after"]), _line(["---"] * 3)),
            *(_line([row["name"], _verdict(row), _accuracies(row)]) for row in others),
            f"\nLoaded, but no part of image classification: {left}.",
        ]
    )


def _untried(rows: Sequence[dict[str, Any]], known: Mapping[str, Entry]) -> list[str]:
    """The kinds of layers that no row tells of."""
    tried = {kind for row in rows for kind in known[row["name"]].kinds}
    kinds = sorted({kind for entry in known.values() for kind in entry.kinds} - tried)
    return ["", f"Not tried yet: {', '.join(f'`{kind}`' for kind in kinds)}."] if kinds else []


def lines(rows: Sequence[dict[str, Any]], known: Mapping[str, Entry], notes: dict[str, int] | None = None) -> list[str]:
    """The matrix's lines, one per model that stands for a kind of layer; notes are numbered as they come."""
    notes = {} if notes is None else notes
    found = {row["name"]: row for row in rows if known[row["name"]].kinds}
    labels = sorted((", ".join(f"`{kind}`" for kind in known[name].kinds), name) for name in found)
    return [_line([_label(label, name), *cells(found[name], known[name], notes)]) for label, name in labels]


def cells(row: dict[str, Any], entry: Entry, notes: dict[str, int]) -> list[str]:
    """A cell for each format and each step; notes are numbered as they come."""
    made, log = row.get("export files", {}), row.get("export", {}).get("log", "")
    found = []
    for fmt in FORMATS:
        if fmt in made and not made[fmt]["wrong"]:
            floats = made[fmt].get("float_operators")
            found.append(f"yes {_note('In float: ' + ', '.join(floats), notes)}" if floats else "yes")
        else:
            found.append(f"no {_note(_reason(fmt, row, log), notes)}")
    kept, failed = row.get("kept"), row["failure"]
    for step in STEPS:
        if kept is None or failed:
            found.append(f"no {_note(failed or 'not reached', notes)}")
            continue
        own = [name for name, kind in row["layers"].items() if kind in entry.kinds]
        named = {item for name in own for item in kept[step] if item == name or item.startswith(f"{name}_")}
        left = {item for name in own for item in kept["float"] if item == name or item.startswith(f"{name}_")}
        if step == "quantized":
            found.append("in float" if left else "yes")
        else:
            found.append("yes" if named else "as it is")
    return found


def _reason(fmt: str, row: dict[str, Any], log: str) -> str:
    lines = [line for line in log.splitlines() if line.startswith(fmt) or f"exported as {fmt}" in line]
    return lines[-1] if lines else row["failure"] or "left out"


def _note(text: str, notes: dict[str, int]) -> str:
    short = re.sub(r"\s+", " ", re.sub(r"'[\w/]+'( \((\w+)\))?", lambda found: found[2] or "a layer", text))[:240]
    return f"[{notes.setdefault(short, len(notes) + 1)}]"


def _label(kinds: str, name: str) -> str:
    plain = kinds.replace("`", "")
    return kinds if plain == name else f"{kinds}: {name}" if len(plain) < 60 else f"{kinds}"


def _verdict(row: dict[str, Any]) -> str:
    return "yes" if not row["failure"] else row["failure"].splitlines()[0][:160]


def _accuracies(row: dict[str, Any]) -> str:
    lost = drops([row])
    return f"{row['keras']:.1%}, {row['keras'] - lost[0]:.1%}" if lost else ""


def _line(items: Sequence[str]) -> str:
    return f"| {' | '.join(item.replace('|', '/') for item in items)} |"
