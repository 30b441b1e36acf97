"""One number: regression."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from tkit_edge.errors import InputError
from tkit_edge.fields import Fields
from tkit_edge.outputs import NOT_FINITE, SHARE_TOLERANCE, STEP_TOLERANCE, TIE, Measure, Outcome, Output, noise
from tkit_edge.tensors import Arrays, TensorSpec, listed


@dataclass(frozen=True)
class Value:
    """A predicted number."""

    number: float
    unit: str

    def line(self) -> str:
        """The number and its unit."""
        return f"{self.number:.6g} {self.unit}".rstrip()

    def as_json(self) -> dict[str, Any]:
        """Both."""
        return asdict(self)


@dataclass(frozen=True)
class Number(Output):
    """A number, and what it counts."""

    kind = "number"
    measure = Measure("mean absolute error", share=False, higher_is_better=False)
    unit: str = ""

    @classmethod
    def of(cls, outputs: Sequence[TensorSpec], name: str) -> Number:
        """What a file without a bundle gives.

        Raises:
            InputError: it doesn't give one number.
        """
        if len(outputs) != 1 or math.prod(outputs[0].shape) != 1 or outputs[0].dtype != "float32":
            raise InputError(
                f"{name} doesn't predict a number: expected one output [1, 1], received {listed(outputs)}."
            )
        return cls()

    @property
    def tensors(self) -> tuple[TensorSpec, ...]:
        """The number."""
        return (TensorSpec("number", (), "float32"),)

    @property
    def targets(self) -> tuple[TensorSpec, ...]:
        """The right one."""
        return self.tensors

    def line(self) -> str:
        """Its unit."""
        return f"a number ({self.unit})" if self.unit else "a number"

    def answers(self, outputs: Arrays, top: int) -> Sequence[Value | str]:
        """The numbers."""
        return [Value(float(value), self.unit) if np.isfinite(value) else NOT_FINITE for value in outputs["number"]]

    def compared(self, expected: Arrays, outputs: Arrays, scales: Mapping[str, float]) -> Outcome:
        """A difference past the tolerance is a failure."""
        wanted, found = expected["number"], outputs["number"]
        scale = scales["number"]
        unit = scale or max(float(np.abs(wanted).max()), 1e-9)
        apart, tolerance = np.abs(found - wanted) / unit, STEP_TOLERANCE if scale else SHARE_TOLERANCE
        failed = ~(apart <= tolerance)
        return Outcome(
            samples=len(wanted),
            same=int(np.sum(~failed)),
            answer=self.answer,
            max_difference=float(apart.max()) if np.isfinite(apart).all() else math.inf,
            unit="steps" if scale else "of the largest value",
            tolerance=tolerance,
            failed=tuple(np.flatnonzero(failed).tolist()),
        )

    def misfit(self, targets: Arrays) -> str:
        """Numbers that are not finite."""
        bad = int(np.sum(~np.isfinite(targets["number"])))
        return f"{bad} numbers that are not finite" if bad else ""

    def graded(self, outputs: Arrays, targets: Arrays) -> np.ndarray:
        """The absolute error."""
        errors = np.abs(outputs["number"].astype(np.float64) - targets["number"])
        return np.where(np.isfinite(errors), errors, np.inf)

    def agreement(self, reference: Arrays, outputs: Arrays) -> tuple[np.ndarray, np.ndarray]:
        """A difference within `TIE` of the largest number."""
        wanted = reference["number"]
        near = np.abs(outputs["number"] - wanted) <= TIE * max(float(np.abs(wanted).max()), 1e-9)
        return near, near

    def divergence(self, reference: Arrays, outputs: Arrays) -> float:
        """The noise's power as a share of the numbers' variance."""
        return noise(reference["number"], outputs["number"])

    def as_json(self) -> dict[str, Any]:
        """The unit."""
        return {"unit": self.unit}

    @classmethod
    def from_json(cls, fields: Fields) -> Number:
        """As `as_json` wrote it."""
        return cls(fields.get("unit", str))
