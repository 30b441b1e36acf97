"""What a model gives, one file per kind: answers for people, and what counts as the same answer.

A kind is named after its file and holds one subclass of `Output`.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Protocol

import numpy as np

from tkit_edge.fields import Fields
from tkit_edge.inputs import kind_of
from tkit_edge.tensors import Arrays, TensorSpec


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


class Output(ABC):
    """A kind of output, with what a model's own is like."""

    kind: ClassVar[str]

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

    @abstractmethod
    def correct(self, outputs: Arrays, targets: Arrays) -> np.ndarray:
        """Which examples' answers are right, bool [n]."""

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
