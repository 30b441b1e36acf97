"""The report on a generator of images."""

from __future__ import annotations

from typing import Any

import numpy as np

from tkit.evaluation import Evaluation, inception
from tkit.evaluation.reference import Reference
from tkit.evaluation.sample_plots import SIDE, grids_png, shares_png
from tkit.ruler import Ruler
from tkit_edge.errors import InputError
from tkit_edge.outputs.image import Image
from tkit_edge.tensors import Arrays
from tkit_edge.text import counted, figure
from tkit_pipelines.dataset import Examples

_MISSED = 5
"""Classes that aren't covered, named."""


class ImageEvaluation(Evaluation):
    """Distances to real images, precision and recall, the classes that are made, and samples beside real images.

    Args:
        output: the images.
        ruler: a `Reference`: the judge and the training images; the held-out images are those of each report.

    Raises:
        InputError: no ruler.
    """

    def __init__(self, output: Image, ruler: Ruler | None) -> None:
        if not isinstance(ruler, Reference):
            raise InputError(
                "Made images are measured in the feature space of a judge, which lies with their run: evaluate the run "
                "(tkit evaluate RUN; with --format int8 its exported file)."
            )
        self.output = output
        self.reference = ruler

    def report(self, outputs: Arrays, examples: Examples, split: str) -> tuple[dict[str, Any], dict[str, bytes]]:
        """As `Evaluation.report`, of outputs for any noise against `examples.images`; no sample by itself is wrong.

        The figures are those of `Reference.figures`.
        """
        reference, made = self.reference.against(examples.images), self.output.pixels(outputs)
        figures = reference.figures(made)
        # Evenly spread: sources have their images sorted by class.
        real = examples.images[np.unique(np.linspace(0, len(examples) - 1, SIDE**2).astype(np.int64))]
        plots = {"samples.png": grids_png({"samples": made, f"{split} images": real})}
        if figures["modes"] is not None:
            plots["classes.png"] = shares_png(figures["modes"]["per_class"], figures["samples"], split)
        return figures, plots

    def plot(self, outputs: Arrays, targets: Arrays) -> tuple[str, bytes]:
        """Samples."""
        return "samples", grids_png({"samples": self.output.pixels(outputs)})

    def named(self, targets: np.ndarray) -> list[str]:
        """Nothing: no image is the right one."""
        return []


def lines(result: dict[str, Any], width: int | None) -> list[str]:
    """The figures as text, each beside that of real training images."""
    low, high = result["interval"]
    return [
        f"distance {figure(result['distance'])} (95 % {figure(low)} to {figure(high)}) to "
        f"{counted(result['real_samples'], 'real image')}: {figure(result['distance_to_floor'])} times the floor, "
        f"{figure(result['floor'])}, which {counted(result['floor_samples'], 'other real image')} get",
        f"kernel distance {figure(result['kernel_distance'])} (real {figure(result['kernel_floor'])}); precision "
        f"{result['precision']:.1%} (real {result['real_precision']:.1%}); recall {result['recall']:.1%} (real "
        f"{result['real_recall']:.1%})",
        *_modes(result["modes"]),
        f"measured by {result['judge']['name']}",
        *([inception.line(result["inception"])] if "inception" in result else []),
    ]


def _modes(modes: dict[str, Any] | None) -> list[str]:
    if modes is None:
        return []
    missed = [item for item in modes["per_class"] if item["real_share"] and not item["covered"]]
    named = ", ".join(
        f"{item['name']} ({item['share']:.1%}, real {item['real_share']:.1%})" for item in missed[:_MISSED]
    )
    more = f" and {len(missed) - _MISSED} more" if len(missed) > _MISSED else ""
    return [f"{modes['covered']} of {modes['of']} classes covered{f'; too few of {named}{more}' if missed else ''}"]
