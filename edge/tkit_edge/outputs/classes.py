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
from tkit_edge.outputs import Outcome, Output
from tkit_edge.tensors import Arrays, TensorSpec

FORMS = ("logits", "probabilities")
STEP_TOLERANCE = 8
"""Of a quantized output: the lead, in steps of its scale, up to which another top-1 class is no failure."""
SHARE_TOLERANCE = 0.02
"""Of a float output: the same, as a share of the largest expected logit."""
NOT_FINITE = "the model gives values that are not finite: its weights or its file are damaged."


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
            answer="top-1",
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

    def correct(self, outputs: Arrays, targets: Arrays) -> np.ndarray:
        """Whether the likeliest class is the label; never where a score is not finite."""
        return top1(self.scores(outputs)) == targets["label"]

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
