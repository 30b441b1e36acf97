"""What a model gives, one file per kind: answers for people, and what counts as the same answer.

A kind is named after its file and holds one subclass of `Output`.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Protocol

import numpy as np

from tkit_edge.errors import InputError
from tkit_edge.fields import Fields
from tkit_edge.kinds import kind_of
from tkit_edge.tensors import Arrays, TensorSpec
from tkit_edge.text import figure


class Answer(Protocol):
    """What a model predicts for one example."""

    def line(self) -> str:
        """For people, in one line."""

    def as_json(self) -> dict[str, Any]:
        """For programs."""


@dataclass(frozen=True)
class Outcome:
    """How a file's outputs for the golden samples compare with the expected ones."""

    samples: int
    same: int
    """Samples with the same answer."""
    answer: str
    """What an answer is called: "top-1"."""
    max_difference: float
    """Of any value, in `unit`s; infinite where an output is not finite."""
    unit: str
    """"steps" of a quantized output's scale, or "of the largest logit"."""
    tolerance: float
    """The difference, in `unit`s, that excuses another answer."""
    failed: tuple[int, ...]
    """The samples whose answer differs although the expected one was clear."""


@dataclass(frozen=True)
class Measure:
    """What says how good a model is: the mean over examples of `Output.graded`."""

    name: str
    """For people: "accuracy"."""
    share: bool
    """Whether grades are right or wrong, so that their mean is a share; else they are errors."""
    higher_is_better: bool

    @property
    def key(self) -> str:
        """In JSON."""
        return self.name.replace(" ", "_")

    @property
    def points(self) -> str:
        """What a hundredth of a drop is called: of a share, or of what always guessing the targets' mean costs."""
        return "points" if self.share else "% of guessing"

    def cost(self, drop: float) -> str:
        """A drop for people: "2.0 points of accuracy"."""
        return f"{100 * drop:.1f} {self.points} {'of' if self.share else 'in'} {self.name}"

    def text(self, value: float) -> str:
        """A mean for people."""
        return f"{value:.2%}" if self.share else figure(value)


TIE = 0.05
"""As a share of the reference's largest value: how much worse another answer may be that is as good as the same.

Correct quantized files differ by up to 0.03 (docs/log.md); a classifier with a smaller lead, such as an untrained one,
can't be judged by its classes."""
STEP_TOLERANCE = 8
"""Of a quantized output: the difference, in steps of its scale, up to which another answer is no failure."""
SHARE_TOLERANCE = 0.02
"""Of a float output: the same, as a share of the largest expected value."""


DEFAULT_TOP = 5
"""Candidates of each answer, where no other number is asked for."""
NOT_FINITE = "the model gives values that are not finite: its weights or its file are damaged."
"""Why an example has no answer."""


class Output(ABC):
    """A kind of output, with what a model's own is like."""

    kind: ClassVar[str]
    measure: ClassVar[Measure | None] = None
    """None where nothing is known to be right: there are no `targets`."""
    answer: ClassVar[str] = "output"
    """What an answer is called, in "same top-1"."""
    value: ClassVar[str] = "value"
    """What one number of an output is called."""
    divergence_unit: ClassVar[str] = "of the outputs' variance"
    """Of `divergence`."""

    @property
    def same_key(self) -> str:
        """The share of same answers in JSON: "same_top1"."""
        return f"same_{self.answer.replace('-', '')}"

    @property
    def saturated(self) -> bool:
        """Whether values are squeezed into a range, so that a small error before that can become a large one."""
        return False

    @abstractmethod
    def line(self) -> str:
        """What a model gives, for people: "10 classes"."""

    @property
    @abstractmethod
    def tensors(self) -> tuple[TensorSpec, ...]:
        """What a model gives for one example."""

    @property
    @abstractmethod
    def targets(self) -> tuple[TensorSpec, ...]:
        """What is right, of one example; none where nothing is known to be."""

    @abstractmethod
    def answers(self, outputs: Arrays, top: int) -> Sequence[Answer | str]:
        """The answer of each example, or why there is none.

        Args:
            outputs: by name, [n, ...].
            top: how many candidates of each, where the kind has several.
        """

    @abstractmethod
    def compared(self, expected: Arrays, outputs: Arrays, scales: Mapping[str, float]) -> Outcome:
        """How outputs compare with those of the exporting machine.

        Args:
            expected: by name, [n, ...].
            outputs: the same, computed here.
            scales: of quantized tensors; 0 for the others.
        """

    @abstractmethod
    def misfit(self, targets: Arrays) -> str:
        """What no model with this output can be right about in `targets`, or ""."""

    def graded(self, outputs: Arrays, targets: Arrays) -> np.ndarray:
        """The grade of each example: bool [n], right or wrong, or float64 [n], its error; the worst if not finite.

        Raises:
            InputError: nothing is known to be right.
        """
        raise InputError(f"Nothing is known to be right of {self.line()}: it can't be scored.")

    @abstractmethod
    def agreement(self, reference: Arrays, outputs: Arrays) -> tuple[np.ndarray, np.ndarray]:
        """Which examples have the same answer as the reference, and which have that or one as good: bool [n] each."""

    @abstractmethod
    def divergence(self, reference: Arrays, outputs: Arrays) -> float:
        """How far outputs are from the reference, from 0, on average."""

    def quality(self, reference: Arrays, outputs: Arrays) -> dict[str, float]:
        """Figures of how near outputs are to the reference that only this kind has, by name: `psnr` of images."""
        return {}

    @abstractmethod
    def as_json(self) -> dict[str, Any]:
        """What `from_json` reads, without the kind."""

    @classmethod
    @abstractmethod
    def from_json(cls, fields: Fields) -> Output:
        """The output that a bundle describes."""


def read(fields: Fields) -> Output:
    """The output that the object of a bundle.json describes.

    Raises:
        InputError: a kind that this tkit-edge doesn't know, or a wrong field.
    """
    made = kind_of(fields, __name__).from_json(fields)
    assert isinstance(made, Output)
    return made


def noise(reference: np.ndarray, outputs: np.ndarray) -> float:
    """The power of the difference as a share of the reference's own, about its mean."""
    wanted = np.asarray(reference, np.float64)
    return float(np.sum((outputs - wanted) ** 2) / max(float(np.sum((wanted - wanted.mean()) ** 2)), 1e-30))
