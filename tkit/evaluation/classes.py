"""The report on a classifier."""

from __future__ import annotations

from typing import Any

import numpy as np

from tkit.evaluation import Evaluation, metrics, plots, texts
from tkit_edge.outputs.classes import Classes
from tkit_edge.table import aligned
from tkit_edge.tensors import Arrays
from tkit_pipelines.dataset import Examples

SHOWN_MISTAKES = 30
_CLASSES, _CONFUSIONS = 20, 5  # shown as text


class ClassesEvaluation(Evaluation):
    """Accuracy, metrics per class, confusion, calibration and the most confident mistakes.

    Args:
        output: the classes.
    """

    def __init__(self, output: Classes) -> None:
        self.output = output

    def report(self, outputs: Arrays, examples: Examples, split: str) -> tuple[dict[str, Any], dict[str, bytes]]:
        """As `Evaluation.report`; a mistake has index, file, true and predicted class, and confidence."""
        names, shares, labels = self.output.names, self.output.probabilities(outputs), examples.labels
        mistakes = [
            {
                **item,
                "file": examples.file(item["index"]),
                "true_class": names[item["true"]],
                "predicted_class": names[item["predicted"]],
            }
            for item in metrics.mistakes(labels, shares, SHOWN_MISTAKES)
        ]
        figures = {**metrics.figures(labels, shares, names), "mistakes": mistakes}
        drawn = {
            "confusion.png": plots.confusion_png(np.array(figures["confusion"]), names, split),
            "reliability.png": plots.reliability_png(figures["calibration"], split),
        }
        if "tokens" in examples.columns:
            figures["by_length"] = texts.by_length(examples, shares.argmax(axis=1) == labels)
            for item in mistakes:
                item["text"] = texts.text(examples, item["index"])
        if "image" in examples.columns and examples.images.dtype == np.uint8:  # else numbers that nobody can see
            shown = [examples.images[item["index"]] for item in mistakes]
            images = np.stack(shown) if shown else examples.images[:0]
            drawn["mistakes.png"] = plots.mistakes_png(images, mistakes, names, split)
        return figures, drawn

    def plot(self, outputs: Arrays, targets: Arrays) -> tuple[str, bytes]:
        """The confusion matrix."""
        matrix = np.zeros((len(self.output.names),) * 2, np.int64)
        np.add.at(matrix, (targets["label"], self.output.scores(outputs).argmax(axis=1)), 1)
        return "confusion matrix", plots.confusion_png(matrix, self.output.names, "validation")

    def named(self, targets: np.ndarray) -> list[str]:
        """The classes of one-hot labels."""
        return [self.output.names[index] for index in np.argmax(targets, axis=1)]

    def averaged(self, outputs: Arrays, mirrored: Arrays) -> Arrays:
        """The mean of the scores."""
        name, *_ = outputs
        return {name: (self.output.scores(outputs) + self.output.scores(mirrored)) / 2}


def lines(result: dict[str, Any], width: int | None) -> list[str]:
    """The figures as text: the weakest classes and the most common confusions first."""
    low, high = result["interval"]
    top5 = "" if result["top5"] is None else f"; top-5 {result['top5']:.2%}"
    classes = sorted(result["per_class"], key=lambda item: item["f1"])
    rows = [
        [item["name"], f"{item['precision']:.1%}", f"{item['recall']:.1%}", f"{item['f1']:.1%}", f"{item['support']:,}"]
        for item in classes[:_CLASSES]
    ]
    return [
        f"{result['split']} accuracy {result['accuracy']:.2%} (95 % {low:.2%} to {high:.2%}){top5}; "
        f"macro F1 {result['macro']['f1']:.2%}; calibration error {result['calibration']['error']:.2%}",
        "",
        *aligned([["class", "precision", "recall", "F1", f"{result['example']}s"], *rows], width=width, spare=(1, 2)),
        *([f"and {len(classes) - _CLASSES} better ones: --json has all"] if len(classes) > _CLASSES else []),
        *_confusions(result),
        *(texts.lines(result) if "by_length" in result else ()),
    ]


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
