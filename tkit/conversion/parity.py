"""The parity gate: the outputs of each exported file through LiteRT, compared with those of its Keras model."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from tkit.conversion.config import Format, Parity
from tkit.conversion.statistics import paired_drop, scale_of
from tkit_edge.accuracy import wilson
from tkit_edge.outputs import Measure, Output
from tkit_edge.tensors import Arrays

FLOATS = ("float32", "float16")


def compare(output: Output, outputs: Arrays, reference: Arrays, targets: Arrays) -> dict[str, Any]:
    """The figures of one file.

    Args:
        output: what the model gives.
        outputs: what the file gives for n examples.
        reference: what the Keras model gives; finite.
        targets: what is right of the first examples; empty where nothing is known to be.

    Returns:
        samples, max_difference and mean_difference (of the outputs, as shares of the largest value's magnitude in the
        reference; infinite where an output isn't finite; the larger of several tensors'), same_<answer> (share of
        examples with the same answer), agreement (share with the same one or one that is as good) and its 95 %
        interval. With targets also <measure>_samples, keras_<measure>, <measure>, drop (how much worse; of an error as
        a share of what always guessing the mean costs) and its 95 % interval.
    """
    same, near = output.agreement(reference, outputs)
    agreed, total = int(near.sum()), len(near)
    differences = [_differences(outputs[name], wanted) for name, wanted in reference.items()]
    found = {
        "samples": total,
        "max_difference": max(largest for largest, _ in differences),
        "mean_difference": max(mean for _, mean in differences),
        output.same_key: float(np.mean(same)),
        "agreement": agreed / total,
        "agreement_interval": list(wilson(agreed, total)),
    }
    if output.measure is None:
        return found
    (wanted,) = targets.values()
    judged, key = slice(len(wanted)), output.measure.key
    before, after = (
        output.graded({name: values[judged] for name, values in side.items()}, targets) for side in (reference, outputs)
    )
    drop, interval = paired_drop(before, after, scale_of(wanted))
    return {
        **found,
        f"{key}_samples": len(wanted),
        f"keras_{key}": float(np.mean(before)),
        key: float(np.mean(after)),
        "drop": drop,
        "drop_interval": list(interval),
    }


def _differences(outputs: np.ndarray, reference: np.ndarray) -> tuple[float, float]:
    """The largest and the mean difference, as shares of the largest magnitude."""
    if not np.isfinite(outputs).all():
        return math.inf, math.inf
    wanted = reference.astype(np.float64)
    largest = max(float(np.abs(wanted).max()), 1e-9)
    differences = np.abs(outputs.astype(np.float64) - wanted) / largest
    return float(differences.max()), float(differences.mean())


def failures(fmt: Format, figures: dict[str, Any], bounds: Parity, output: Output) -> list[str]:
    """Messages for a file's figures that miss the recipe's bounds; empty when the file passes.

    NaN misses every bound.
    """
    largest, mean = figures["max_difference"], figures["mean_difference"]
    if not math.isfinite(largest):
        return [f"{fmt}: the file outputs values that are not finite"]
    found = []
    if fmt in FLOATS:
        bound = bounds.float32 if fmt == "float32" else bounds.float16
        if not largest <= bound:
            found.append(f"{fmt}: largest difference {largest:.2e} of the largest {output.value}, bound {bound:.0e}")
        return found
    if not output.saturated and not largest <= bounds.difference:
        found.append(
            f"{fmt}: largest difference {largest:.2f} of the largest {output.value}, bound {bounds.difference:.2f}"
        )
    if not mean <= bounds.mean_difference:
        found.append(f"{fmt}: mean difference {mean:.3f} of the largest output, bound {bounds.mean_difference:.3f}")
    low, high = figures["agreement_interval"]
    if not high >= bounds.agreement:
        found.append(
            f"{fmt}: agrees ({output.answer}) on {figures['agreement']:.1%} of {figures['samples']} examples "
            f"(95 % interval {low:.1%} to {high:.1%}), bound {bounds.agreement:.1%}"
        )
    if output.measure is not None:
        low, high = figures["drop_interval"]
        if not low <= bounds.drop:
            samples = figures[f"{output.measure.key}_samples"]
            found.append(
                f"{fmt}: {output.measure.name} {_by(figures['drop'], output.measure)} on {samples} examples "
                f"(95 % interval {100 * low:.2f} to {100 * high:.2f}), bound {100 * bounds.drop:.2f}"
            )
    return found


def _by(drop: float, measure: Measure) -> str:
    return f"{'drops' if measure.higher_is_better else 'rises'} by {100 * drop:.2f} {measure.points}"
