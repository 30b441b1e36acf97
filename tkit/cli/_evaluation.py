"""An evaluation as text."""

from __future__ import annotations

from typing import Any

_CLASSES = 20
_CONFUSIONS = 5


def text(result: dict[str, Any]) -> str:
    """The figures of `tkit.evaluate` in some lines: the weakest classes and commonest confusions first."""
    low, high = result["interval"]
    top5 = "" if result["top5"] is None else f"; top-5 {result['top5']:.2%}"
    lines = [
        f"{result['model']['file']} on {result['samples']:,} {result['split']} pictures of {result['data']}"
        + (", each averaged with its mirror image" if result["mirror"] else ""),
        f"accuracy {result['accuracy']:.2%} (95 % {low:.2%} to {high:.2%}){top5}; "
        f"macro F1 {result['macro']['f1']:.2%}; calibration error {result['calibration']['error']:.2%}",
        "",
    ]
    classes = sorted(result["per_class"], key=lambda item: item["f1"])
    width = max(len("class"), *(len(item["name"]) for item in classes[:_CLASSES]))
    lines.append(f"{'class':<{width}}  precision  recall      F1  pictures")
    lines += [
        f"{item['name']:<{width}}  {item['precision']:>9.1%}  {item['recall']:>6.1%}  {item['f1']:>6.1%}  "
        f"{item['support']:>8,}"
        for item in classes[:_CLASSES]
    ]
    if len(classes) > _CLASSES:
        lines.append(f"and {len(classes) - _CLASSES} better ones: --json has all")
    lines += _confusions(result)
    if result["folder"]:
        lines += ["", f"{result['folder']}: evaluate.json, confusion.png, reliability.png, mistakes.png"]
    return "\n".join(lines)


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
