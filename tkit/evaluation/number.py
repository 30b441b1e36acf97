"""The report on a model that predicts a number."""

from __future__ import annotations

from typing import Any

import numpy as np
from matplotlib.figure import Figure
from sklearn import metrics

from tkit.evaluation import Evaluation
from tkit.plotting import png
from tkit_edge.outputs.number import Number
from tkit_edge.score import scored
from tkit_edge.tensors import Arrays
from tkit_edge.text import counted, figure
from tkit_pipelines.dataset import Examples

SHOWN_MISTAKES = 30
_SIDE = 5.0  # inches


class NumberEvaluation(Evaluation):
    """Errors, the share of the variance that is explained, and the largest errors.

    Args:
        output: the number.
    """

    def __init__(self, output: Number) -> None:
        self.output = output

    def report(self, outputs: Arrays, examples: Examples, split: str) -> tuple[dict[str, Any], dict[str, bytes]]:
        """As `Evaluation.report`; a mistake has index, file, true and predicted number.

        The figures are samples, mean_absolute_error with its interval (95 %), root_mean_squared_error, r2 (the share
        of the variance that is explained; null where all numbers are equal), bias (the mean of predicted - true).
        """
        wanted, found = examples.columns["number"].astype(np.float64), outputs["number"].astype(np.float64)
        score = scored(self.output.measure, np.abs(found - wanted))
        worst = np.argsort(-np.abs(found - wanted), kind="stable")[:SHOWN_MISTAKES]
        figures = {
            "samples": score.samples,
            "mean_absolute_error": score.value,
            "interval": list(score.interval),
            "root_mean_squared_error": float(metrics.root_mean_squared_error(wanted, found)),
            "r2": float(metrics.r2_score(wanted, found)) if np.ptp(wanted) > 0 and len(wanted) > 1 else None,
            "bias": float(np.mean(found - wanted)),
            "unit": self.output.unit,
            "mistakes": [
                {
                    "index": int(index),
                    "file": examples.file(int(index)),
                    "true": float(wanted[index]),
                    "predicted": float(found[index]),
                }
                for index in worst
            ],
        }
        return figures, {"predictions.png": self._drawn(wanted, found, split)}

    def plot(self, outputs: Arrays, targets: Arrays) -> tuple[str, bytes]:
        """Predicted against true numbers."""
        return "predictions", self._drawn(targets["number"], outputs["number"], "validation")

    def named(self, targets: np.ndarray) -> list[str]:
        """The numbers."""
        return [f"{value:g} {self.output.unit}".rstrip() for value in np.ravel(targets)]

    def _drawn(self, wanted: np.ndarray, found: np.ndarray, split: str) -> bytes:
        """A scatter plot, on whose diagonal predictions are right."""
        figure = Figure(figsize=(_SIDE, _SIDE), layout="constrained")
        axes = figure.subplots()
        ends = [float(min(wanted.min(), found.min())), float(max(wanted.max(), found.max()))]
        axes.plot(ends, ends, "--", color="grey", label="right")
        axes.scatter(wanted, found, s=9, alpha=0.4, edgecolors="none")
        unit = f" ({self.output.unit})" if self.output.unit else ""
        axes.set(xlabel=f"true number{unit}", ylabel=f"predicted number{unit}")
        error = self.output.measure.text(float(np.mean(np.abs(found - wanted))))
        axes.set_title(f"{counted(len(wanted), f'{split} example')}, mean absolute error {error}")
        axes.legend(frameon=False)
        axes.spines[["top", "right"]].set_visible(False)
        return png(figure)


def lines(result: dict[str, Any], width: int | None) -> list[str]:
    """The figures as text."""
    low, high = result["interval"]
    unit = f" {result['unit']}" if result["unit"] else ""
    explained = "" if result["r2"] is None else f"; R2 {result['r2']:.3f}"
    return [
        f"{result['split']} mean absolute error {figure(result['mean_absolute_error'])}{unit} (95 % {figure(low)} to "
        f"{figure(high)}); root of the mean squared error {figure(result['root_mean_squared_error'])}{explained}; mean "
        f"of predicted - true {figure(result['bias'])}"
    ]
