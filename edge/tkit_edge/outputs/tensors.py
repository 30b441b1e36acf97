"""Any tensors, of which nothing is known to be right: those of a model that is taken as it is."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from tkit_edge.outputs import NOT_FINITE, SHARE_TOLERANCE, STEP_TOLERANCE, TIE, Outcome, Output, noise
from tkit_edge.tensors import Arrays, NamedTensors, TensorSpec, listed

_LISTED = 8
"""Values of a tensor up to which all are shown."""


@dataclass(frozen=True)
class Values:
    """What a model gives for one example."""

    tensors: Arrays

    def line(self) -> str:
        """Each tensor's values, or its shape and range where it has many."""
        return "  ".join(f"{name} {_text(array)}" for name, array in self.tensors.items())

    def as_json(self) -> dict[str, Any]:
        """Lists by name."""
        return {"outputs": {name: array.tolist() for name, array in self.tensors.items()}}


def _text(array: np.ndarray) -> str:
    if array.size <= _LISTED:
        return " ".join(map(_figure, array.ravel().tolist()))
    low, high, mean = (_figure(value.item()) for value in (array.min(), array.max(), array.mean()))
    return f"{list(array.shape)} from {low} to {high}, mean {mean}"


def _figure(value: float) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)


@dataclass(frozen=True)
class Tensors(NamedTensors, Output):
    """Named tensors."""

    kind = "tensors"

    @property
    def targets(self) -> tuple[TensorSpec, ...]:
        """None."""
        return ()

    def line(self) -> str:
        """Names and shapes."""
        return listed(self.specs)

    def answers(self, outputs: Arrays, top: int) -> Sequence[Values | str]:
        """The values."""
        count = len(next(iter(outputs.values())))
        found = [Values({name: array[number] for name, array in outputs.items()}) for number in range(count)]
        return [
            item if all(np.isfinite(array).all() for array in item.tensors.values()) else NOT_FINITE for item in found
        ]

    def compared(self, expected: Arrays, outputs: Arrays, scales: Mapping[str, float]) -> Outcome:
        """A value past the tolerance is a failure; of several tensors, the one that differs most is shown."""
        failed, worst = np.zeros(len(next(iter(expected.values()))), bool), (-1.0, 0.0, "", 0.0)
        for name, wanted in expected.items():
            scale = scales[name]
            unit, tolerance = scale or _largest(wanted), STEP_TOLERANCE if scale else SHARE_TOLERANCE
            apart = np.abs(outputs[name].astype(np.float64) - wanted) / unit
            largest = float(apart.max()) if np.isfinite(apart).all() else math.inf
            failed |= ~(apart.reshape(len(apart), -1) <= tolerance).all(axis=1)
            if largest / tolerance > worst[0]:
                worst = largest / tolerance, largest, "steps" if scale else "of the largest value", tolerance
        _, largest, unit_name, tolerance = worst
        return Outcome(
            samples=len(failed),
            same=int(np.sum(~failed)),
            answer=self.answer,
            max_difference=largest,
            unit=unit_name,
            tolerance=tolerance,
            failed=tuple(np.flatnonzero(failed).tolist()),
        )

    def misfit(self, targets: Arrays) -> str:
        """Nothing: there are no targets."""
        return ""

    def agreement(self, reference: Arrays, outputs: Arrays) -> tuple[np.ndarray, np.ndarray]:
        """Of every tensor a mean difference within `TIE` of its largest value."""
        near = np.ones(len(next(iter(reference.values()))), bool)
        for name, wanted in reference.items():
            apart = np.abs(outputs[name].astype(np.float64) - wanted).reshape(len(wanted), -1).mean(axis=1)
            near &= apart <= TIE * _largest(wanted)
        return near, near

    def divergence(self, reference: Arrays, outputs: Arrays) -> float:
        """The noise's power as a share of the signal's variance, the mean over the tensors."""
        return float(np.mean([noise(wanted, outputs[name]) for name, wanted in reference.items()]))


def _largest(values: np.ndarray) -> float:
    return max(float(np.abs(values.astype(np.float64)).max()), 1e-9)  # int8 has no 128
