"""The effect of rounding on a model's outputs."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from tkit.conversion.scoring import scoring
from tkit_edge.outputs import Output
from tkit_edge.tensors import Arrays


class Effect(NamedTuple):
    """The effect of rounding on a model's outputs, compared with float."""

    divergence: float
    """As of `Output.divergence`: of classes, Kullback and Leibler's of their probabilities, in nats."""
    sqnr_db: float | None
    """Signal to quantization noise of the outputs, in dB; None without noise."""
    agreement: float
    """Share of the examples with the same prediction."""
    score: float | None
    """By the output's measure; None where nothing is known to be right, as the others."""
    drop: float | None
    drop_interval: tuple[float, float] | None
    """95 %, paired."""

    def as_json(self, output: Output) -> dict[str, object]:
        """The values, the score under its measure's key."""
        values = self._asdict()
        score = values.pop("score")
        return values if output.measure is None else {**values, output.measure.key: score}


def compared(output: Output, reference: Arrays, outputs: Arrays, targets: Arrays) -> Effect:
    """The effect on outputs of n examples; `targets` are what is right of them."""
    noise = sum(
        float(np.sum(_difference(outputs[name], wanted).astype(np.float64) ** 2)) for name, wanted in reference.items()
    )
    signal = sum(float(np.sum(wanted.astype(np.float64) ** 2)) for wanted in reference.values())
    same, _ = output.agreement(reference, outputs)
    score = drop = interval = None
    if (judge := scoring(output)) is not None:
        score = judge.score(outputs, reference, targets).value
        drop, found = judge.drop(reference, outputs, targets)
        interval = (float(found[0]), float(found[1]))
    return Effect(
        divergence=output.divergence(reference, outputs),
        sqnr_db=10 * float(np.log10(signal / noise)) if noise else None,
        agreement=float(np.mean(same)),
        score=score,
        drop=drop,
        drop_interval=interval,
    )


def _difference(outputs: np.ndarray, reference: np.ndarray) -> np.ndarray:
    return np.subtract(outputs, reference, dtype=np.result_type(reference.dtype, np.float32))
