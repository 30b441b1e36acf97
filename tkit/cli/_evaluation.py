"""An evaluation as text."""

from __future__ import annotations

from typing import Any

from tkit_edge.table import aligned
from tkit_edge.text import counted, figure

_CLASSES = 20
_CONFUSIONS = 5


def text(result: dict[str, Any], width: int | None = None) -> str:
    """The figures of `tkit.evaluate` in a few lines: the weakest classes and most common confusions first.

    `width` is the terminal's; columns that don't fit are left out.
    """
    if "accuracy" not in result:
        return "\n".join(_of_numbers(result))
    low, high = result["interval"]
    top5 = "" if result["top5"] is None else f"; top-5 {result['top5']:.2%}"
    measured = counted(result["samples"], f"{result['split']} image")
    lines = [
        f"{result['model']['file']} on {measured} of {result['data']}"
        + (", each averaged with its mirror image" if result["mirror"] else ""),
        f"{result['split']} accuracy {result['accuracy']:.2%} (95 % {low:.2%} to {high:.2%}){top5}; "
        f"macro F1 {result['macro']['f1']:.2%}; calibration error {result['calibration']['error']:.2%}",
        "",
    ]
    classes = sorted(result["per_class"], key=lambda item: item["f1"])
    rows = [
        [item["name"], f"{item['precision']:.1%}", f"{item['recall']:.1%}", f"{item['f1']:.1%}", f"{item['support']:,}"]
        for item in classes[:_CLASSES]
    ]
    lines += aligned([["class", "precision", "recall", "F1", "images"], *rows], width=width, spare=(1, 2))
    if len(classes) > _CLASSES:
        lines.append(f"and {len(classes) - _CLASSES} better ones: --json has all")
    lines += _confusions(result)
    if result["folder"]:
        lines += ["", f"{result['folder']}: evaluate.json, confusion.png, reliability.png, mistakes.png"]
    return "\n".join(lines)


def _of_numbers(result: dict[str, Any]) -> list[str]:
    low, high = result["interval"]
    unit = f" {result['unit']}" if result["unit"] else ""
    samples = counted(result["samples"], f"{result['split']} example")
    explained = "" if result["r2"] is None else f"; R2 {result['r2']:.3f}"
    lines = [
        f"{result['model']['file']} on {samples} of {result['data']}",
        f"{result['split']} mean absolute error {figure(result['mean_absolute_error'])}{unit} (95 % {figure(low)} to "
        f"{figure(high)}); root of the mean squared error {figure(result['root_mean_squared_error'])}{explained}; mean "
        f"of predicted - true {figure(result['bias'])}",
    ]
    return [*lines, "", f"{result['folder']}: evaluate.json, predictions.png"] if result["folder"] else lines


def _confusions(result: dict[str, Any]) -> list[str]:
    names = [item["name"] for item in result["per_class"]]
    found = [
        (count, names[row], names[column])
        for row, counts in enumerate(result["confusion"])
        for column, count in enumerate(counts)
        if row != column and count
    ]
    most = sorted(found, key=lambda item: -item[0])[:_CONFUSIONS]
    if not most:
        return []
    return ["", "most confused: " + ", ".join(f"{true} taken for {answer} ({count})" for count, true, answer in most)]
