"""Evaluation: what a model, in any file format, gets right and wrong, or how far what it makes is from real examples.

One file per kind of output, named like it, holds an `Evaluation` and a function `lines`, its figures as text.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any

import numpy as np

from tkit_edge.tensors import Arrays
from tkit_pipelines.dataset import Examples


class Evaluation(ABC):
    """The report on one kind of output."""

    @abstractmethod
    def report(self, outputs: Arrays, examples: Examples, split: str) -> tuple[dict[str, Any], dict[str, bytes]]:
        """The figures as JSON values, with `mistakes` where single outputs are right or wrong, and the plots: PNG bytes
        by file name.

        Args:
            outputs: what the model gives for the examples, by name; finite.
            examples: with their targets, or the real examples that outputs are compared with.
            split: what they are called in titles.
        """

    @abstractmethod
    def plot(self, outputs: Arrays, targets: Arrays) -> tuple[str, bytes]:
        """The plot of validation data that TensorBoard shows at the end of a training: its name, and a PNG."""

    @abstractmethod
    def named(self, targets: np.ndarray) -> list[str]:
        """A batch's targets, as the loss takes them, for people."""

    def averaged(self, outputs: Arrays, mirrored: Arrays) -> Arrays:
        """What is given for an image and its mirror image, averaged."""
        return {name: (array + mirrored[name]) / 2 for name, array in outputs.items()}
