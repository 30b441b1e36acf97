"""One of several classes: a row of logits, or of probabilities where the model ends in a softmax or sigmoid."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from tkit_edge.accuracy import top1
from tkit_edge.errors import InputError
from tkit_edge.fields import Fields
from tkit_edge.outputs import NOT_FINITE, SHARE_TOLERANCE, STEP_TOLERANCE, TIE, Measure, Outcome, Output
from tkit_edge.tensors import Arrays, TensorSpec

FORMS = ("logits", "probabilities")


@dataclass(frozen=True)
class Score:
    """A class and its probability."""

    label: str
    probability: float


@dataclass(frozen=True)
class Likeliest:
    """The classes of highest probability, the likeliest first."""

    classes: tuple[Score, ...]

    def line(self) -> str:
        """Names and percentages."""
        return "  ".join(f"{score.label} {score.probability:.1%}" for score in self.classes)

    def as_json(self) -> dict[str, Any]:
        """The classes."""
        return asdict(self)


@dataclass(frozen=True)
class Classes(Output):
    """The classes' names in the order of the model's scores, and the scores' form."""

    kind = "classes"
    measure = Measure("accuracy", share=True, higher_is_better=True)
    answer = "top-1"
    value = "logit"
    divergence_unit = "nats"
    names: tuple[str, ...]
    form: str = "logits"

    @classmethod
    def of(cls, outputs: Sequence[TensorSpec], name: str, form: str) -> Classes:
        """What a file without a bundle gives: classes with numbers for names.

        Raises:
            InputError: it doesn't give one row of scores.
        """
        shapes = [(1, *spec.shape) for spec in outputs]
        if len(shapes) != 1 or len(shapes[0]) < 2 or math.prod(shapes[0][:-1]) != 1:
            raise InputError(
                f"{name} is no classifier: expected one output [1, classes], a row of scores, received {shapes}."
            )
        return cls(tuple(str(number) for number in range(max(shapes[0][-1], 2))), form)

    @property
    def tensors(self) -> tuple[TensorSpec, ...]:
        """The row of scores."""
        return (TensorSpec(self.form, (len(self.names),), "float32"),)

    @property
    def targets(self) -> tuple[TensorSpec, ...]:
        """The class's number."""
        return (TensorSpec("label", (), "int32"),)

    @property
    def saturated(self) -> bool:
        """Probabilities are."""
        return self.form == "probabilities"

    def line(self) -> str:
        """Their number."""
        return f"{len(self.names)} classes"

    def scores(self, outputs: Arrays) -> np.ndarray:
        """The scores as rows, float32 [n, classes], from the one tensor that a model gives."""
        (values,) = outputs.values()
        return values.reshape(len(values), -1)

    def probabilities(self, outputs: Arrays) -> np.ndarray:
        """The probabilities of the classes, float32 [n, classes]: logits through a softmax."""
        return probabilities(self.scores(outputs), self.form)

    def answers(self, outputs: Arrays, top: int) -> list[Likeliest | str]:
        """The `top` likeliest classes of each."""
        return [self._likeliest(row, top) for row in self.probabilities(outputs)]

    def _likeliest(self, shares: np.ndarray, top: int) -> Likeliest | str:
        if not np.isfinite(shares).all():
            return NOT_FINITE
        best = np.argsort(-shares, kind="stable")[:top]
        return Likeliest(tuple(Score(self.names[index], float(shares[index])) for index in best))

    def compared(self, expected: Arrays, outputs: Arrays, scales: Mapping[str, float]) -> Outcome:
        """Another top-1 class is a failure where the expected one led the second by more than the tolerance."""
        wanted, found = self.scores(expected), self.scores(outputs)
        (scale,) = scales.values()
        unit = scale or max(float(np.abs(wanted).max()), 1e-9)
        finite = np.isfinite(found).all(axis=1)
        same = top1(found) == wanted.argmax(axis=1)
        ordered = np.sort(wanted, axis=1)
        lead = (ordered[:, -1] - ordered[:, -2]) / unit if wanted.shape[1] > 1 else np.zeros(len(wanted))
        tolerance = STEP_TOLERANCE if scale else SHARE_TOLERANCE
        return Outcome(
            samples=len(wanted),
            same=int(same.sum()),
            answer=self.answer,
            max_difference=float(np.abs(found - wanted).max() / unit) if finite.all() else math.inf,
            unit="steps" if scale else "of the largest logit",
            tolerance=tolerance,
            # "Not within" instead of "beyond", so that a NaN never passes.
            failed=tuple(np.flatnonzero(~finite | (~same & ~(lead <= tolerance))).tolist()),
        )

    def misfit(self, targets: Arrays) -> str:
        """Labels that are no class's number."""
        labels, count = targets["label"], len(self.names)
        if not len(labels) or (labels.min() >= 0 and labels.max() < count):
            return ""
        return f"labels from {labels.min()} to {labels.max()}, the model has {count} classes"

    def graded(self, outputs: Arrays, targets: Arrays) -> np.ndarray:
        """Whether the likeliest class is the label; never where a score is not finite."""
        return top1(self.scores(outputs)) == targets["label"]

    def agreement(self, reference: Arrays, outputs: Arrays) -> tuple[np.ndarray, np.ndarray]:
        """The same top-1 class; or one that the reference scores nearly as high, within `TIE`."""
        wanted = self.scores(reference)
        before, after = top1(wanted), top1(self.scores(outputs))
        rows = np.arange(len(wanted))
        lead = wanted[rows, before] - wanted[rows, after]
        largest = max(float(np.abs(wanted).max()), 1e-9)
        return before == after, (after >= 0) & (lead <= TIE * largest)

    def divergence(self, reference: Arrays, outputs: Arrays) -> float:
        """Kullback and Leibler's, of the classes' probabilities, in nats."""
        before, after = (np.clip(self.probabilities(item).astype(np.float64), 1e-9, 1) for item in (reference, outputs))
        return max(0.0, float(np.mean(np.sum(before * np.log(before / after), axis=1))))

    def as_json(self) -> dict[str, Any]:
        """Names and form."""
        return {"names": list(self.names), "form": self.form}

    @classmethod
    def from_json(cls, fields: Fields) -> Classes:
        """As `as_json` wrote it."""
        form = fields.get("form", str)
        if form not in FORMS:
            raise InputError(f"{fields.file}: output is {form!r}, this tkit-edge knows {', '.join(FORMS)}.")
        return cls(tuple(fields.texts("names")), form)


def probabilities(scores: np.ndarray, form: str) -> np.ndarray:
    """Scores, float32 [n, classes], as probabilities: logits through a softmax, probabilities as they are."""
    if form == "probabilities":
        return scores
    powers = np.exp(scores - scores.max(axis=1, keepdims=True))
    return powers / powers.sum(axis=1, keepdims=True)
