"""The parity gate: the outputs of each exported file through LiteRT, compared with those of its Keras model."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from tkit.conversion.config import Format, Parity
from tkit.conversion.scoring import scoring
from tkit.ruler import Ruler
from tkit_edge.accuracy import wilson
from tkit_edge.outputs import Measure, Output
from tkit_edge.tensors import Arrays

FLOATS = ("float32", "float16")


def compare(
    output: Output, outputs: Arrays, reference: Arrays, targets: Arrays, ruler: Ruler | None = None
) -> dict[str, Any]:
    """The figures of one file.

    Args:
        output: what the model gives.
        outputs: what the file gives for n examples.
        reference: what the Keras model gives; finite.
        targets: what is right of the first examples; empty where nothing is known to be.
        ruler: what measures the outputs as a set, if anything does.

    Returns:
        samples, max_difference and mean_difference (of the outputs, as shares of the largest value's magnitude in the
        reference; infinite where an output isn't finite; the larger of several tensors'), same_<answer> (share of
        examples with the same answer), agreement (share with the same one or one that is as good) and its 95 %
        interval, and what `Output.quality` gives. With targets or a ruler also <measure>_samples, keras_<measure>,
        <measure>, drop (how much worse; of an error as a share of what always guessing the mean costs) and its 95 %
        interval; with a ruler the ratio to the Keras model's, likewise.
    """
    same, near = output.agreement(reference, outputs)
    agreed, total = int(near.sum()), len(near)
    differences = [_differences(outputs[name], wanted) for name, wanted in reference.items()]
    found: dict[str, Any] = {
        "samples": total,
        "max_difference": max(largest for largest, _ in differences),
        "mean_difference": max(mean for _, mean in differences),
        output.same_key: float(np.mean(same)),
        "agreement": agreed / total,
        "agreement_interval": list(wilson(agreed, total)),
        **output.quality(reference, outputs),
    }
    judge = scoring(output, ruler)
    if judge is None or (ruler is not None and not math.isfinite(found["max_difference"])):
        return found
    judged, key = slice(min(map(len, targets.values()), default=total)), judge.measure.key
    before, after = ({name: values[judged] for name, values in side.items()} for side in (reference, outputs))
    was, now = (judge.score(side, before, targets) for side in (before, after))
    drop, interval = judge.drop(before, after, targets)
    found |= {
        f"{key}_samples": now.samples,
        f"keras_{key}": was.value,
        key: now.value,
        "drop": drop,
        "drop_interval": list(interval),
    }
    if ruler is not None:
        ratio, interval = ruler.ratio(before, after)
        found |= {"ratio": ratio, "ratio_interval": list(interval)}
    return found


def _differences(outputs: np.ndarray, reference: np.ndarray) -> tuple[float, float]:
    """The largest and the mean difference, as shares of the largest magnitude."""
    if not np.isfinite(outputs).all():
        return math.inf, math.inf
    wanted = reference.astype(np.float64)
    largest = max(float(np.abs(wanted).max()), 1e-9)
    differences = np.abs(outputs.astype(np.float64) - wanted) / largest
    return float(differences.max()), float(differences.mean())


def failures(
    fmt: Format, figures: dict[str, Any], bounds: Parity, output: Output, ruler: Ruler | None = None
) -> list[str]:
    """Messages for a file's figures that miss the recipe's bounds; empty when the file passes.

    NaN misses every bound.
    """
    largest, mean = figures["max_difference"], figures["mean_difference"]
    if not math.isfinite(largest):
        return [f"{fmt}: the file outputs values that are not finite"]
    if fmt in FLOATS:
        return float_failures(fmt, figures, bounds.float32 if fmt == "float32" else bounds.float16, output)
    found = []
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
    if "psnr" in figures and not figures["psnr"] >= bounds.psnr:
        found.append(f"{fmt}: PSNR {figures['psnr']:.1f} dB, bound {bounds.psnr:.1f}")
    if ruler is not None:
        return found + _farther(fmt, figures, bounds.distance, ruler.measure)
    return found if output.measure is None else found + _worse(fmt, figures, bounds.drop, output.measure)


def float_failures(name: str, figures: dict[str, Any], bound: float, output: Output) -> list[str]:
    """The message for a float file past the bound of its largest difference, if it is; `name` is what it is called."""
    largest = figures["max_difference"]
    missed = f"{name}: largest difference {largest:.2e} of the largest {output.value}, bound {bound:.0e}"
    return [] if largest <= bound else [missed]


def _worse(fmt: Format, figures: dict[str, Any], bound: float, measure: Measure) -> list[str]:
    """The message for a score that dropped too far."""
    (low, high), samples = figures["drop_interval"], figures[f"{measure.key}_samples"]
    if low <= bound:
        return []
    by = f"{'drops' if measure.higher_is_better else 'rises'} by {100 * figures['drop']:.2f} {measure.points}"
    return [
        f"{fmt}: {measure.name} {by} on {samples} examples (95 % interval {100 * low:.2f} to {100 * high:.2f}), bound "
        f"{100 * bound:.2f}"
    ]


def _farther(fmt: Format, figures: dict[str, Any], bound: float, measure: Measure) -> list[str]:
    """The message for a ruler's score that is too large a multiple of the Keras model's."""
    (low, high), samples = (100 * (side - 1) for side in figures["ratio_interval"]), figures[f"{measure.key}_samples"]
    if low <= 100 * bound:
        return []
    return [
        f"{fmt}: {measure.name} rises by {100 * (figures['ratio'] - 1):.1f} % on {samples} samples (95 % interval "
        f"{low:.1f} to {high:.1f}), bound {100 * bound:.1f}"
    ]
