"""What the surveys of images and of texts print alike."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from tkit_edge.table import aligned
from tkit_edge.text import counted

if TYPE_CHECKING:
    from tkit_pipelines.dataset import Bad

CLASSES = 40
LISTED = 20  # bad files
BAR = 24  # characters for the largest class
UNEVEN = 3.0


def class_table(class_names: Sequence[str], splits: Mapping[str, Sequence[int]], width: int | None) -> list[str]:
    """One line per class: its name, its examples in each split, a bar."""
    rows = list(zip(class_names, zip(*splits.values(), strict=True), strict=True))[:CLASSES]
    most = max(1, *(sum(counts) for _, counts in rows))
    bars = ["#" * round(BAR * sum(counts) / most) for _, counts in rows]
    cells = [[name, *(f"{count:,}" for count in counts), bar] for (name, counts), bar in zip(rows, bars, strict=True)]
    last = len(splits) + 1
    lines = aligned([["class", *splits, ""], *cells], left=(0, last), width=width, spare=(last,))
    if len(class_names) > CLASSES:
        lines.append(f"... and {len(class_names) - CLASSES:,} more classes")
    return lines


def head(name: str, class_names: Sequence[str], splits: Mapping[str, Sequence[int]], noun: str) -> list[str]:
    """How many examples and classes there are; `noun` is what one example is called."""
    total = sum(map(sum, splits.values()))
    parts = ", ".join(f"{sum(counts):,} {split}" for split, counts in splits.items())
    classes = f", {counted(len(class_names), 'class', 'classes')}" if class_names else ""
    lines = [f"{name}: {counted(total, noun)} ({parts}){classes}"]
    if "test" not in splits:
        part = " of each class" if class_names else ""
        lines.append(f"no test {noun}s of its own: tkit holds out a fixed fifth{part}")
    return lines


def imbalance(ratio: float, noun: str) -> list[str]:
    """A line where classes are uneven."""
    if ratio < UNEVEN:
        return []
    if ratio == float("inf"):
        return [f"uneven  a class has no {noun}s"]
    return [
        f"uneven  {ratio:.1f} {noun}s of the largest class for one of the smallest (data.balance=weights or oversample)"
    ]


def bad_ones(bad: Sequence[Bad], what: str) -> list[str]:
    """The examples that can't be used, in `what` words."""
    if not bad:
        return []
    more = [f"  ... and {len(bad) - LISTED:,} more"] if len(bad) > LISTED else []
    return ["", f"{what}:", *(f"  {item.reason}" for item in bad[:LISTED]), *more]


def verdict(problems: Sequence[str], command: str | None) -> list[str]:
    """What would stop training, or the command that trains; None: there is none for data without labels."""
    if problems:
        return ["", *(f"problem: {problem}" for problem in problems)]
    if command is None:
        return ["", "no problems"]
    return ["", "no problems: a recipe can train on it", f"  {command}"]


def spread(values: Sequence[Any]) -> dict[str, Any] | None:
    """Minimum, median and maximum."""
    if not len(values):
        return None
    ordered = sorted(values)
    return {"min": ordered[0], "median": ordered[len(ordered) // 2], "max": ordered[-1]}
