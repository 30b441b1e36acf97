"""Does this device compute what the exporting machine computed? The golden samples of a bundle, run here.

Runtimes, versions and kernels round differently, so outputs needn't be equal. A top-1 class that differs is a
failure where the expected logits were clear: where the first class led the second by more than a tolerance.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tkit_edge import files
from tkit_edge.bundle import Bundle
from tkit_edge.errors import InputError
from tkit_edge.images import decode
from tkit_edge.runtime import Model

STEP_TOLERANCE = 8
"""Of a quantized output: the lead, in steps of its scale, up to which another top-1 class is no failure."""
SHARE_TOLERANCE = 0.02
"""Of a float output: the same, as a share of the largest expected logit."""


@dataclass(frozen=True)
class Outcome:
    """What one file did on the golden samples."""

    format: str
    samples: int
    same_top1: int
    max_difference: float
    """Of any logit, in `unit`s."""
    unit: str
    """"steps" of a quantized output's scale, or "of the largest logit"."""
    tolerance: float
    """The lead, in `unit`s, up to which another top-1 class is no failure."""
    failed: tuple[int, ...]
    """The samples whose top-1 class differs although the lead was larger."""

    def line(self) -> str:
        """The outcome in one line."""
        verdict = f"FAILED on samples {', '.join(map(str, self.failed))}" if self.failed else "ok"
        share = self.unit != "steps"
        figures = [f"{value:.2%}" if share else f"{value:.0f}" for value in (self.max_difference, self.tolerance)]
        return (
            f"{self.format:<8} same top-1 on {self.same_top1} of {self.samples}, largest difference "
            f"{figures[0]} {self.unit} (tolerance {figures[1]}): {verdict}"
        )


def check(bundle: Bundle) -> list[Outcome]:
    """Runs the golden samples through each file of a bundle.

    Raises:
        InputError: a damaged golden file or model, or a model that doesn't fit the bundle.
    """
    golden = bundle.golden()
    outcomes = []
    for fmt, expected in golden.expected.items():
        outputs = Model(bundle.path(fmt)).predict(golden.images)
        if outputs.shape != expected.shape:
            raise InputError(f"{bundle.path(fmt)} has {outputs.shape[1]} outputs, expected {expected.shape[1]}.")
        scale = bundle.models[fmt].output.scale
        unit = scale or max(float(np.abs(expected).max()), 1e-9)
        same = outputs.argmax(axis=1) == expected.argmax(axis=1)
        broken = ~np.isfinite(outputs).all(axis=1)
        ordered = np.sort(expected, axis=1)
        lead = (ordered[:, -1] - ordered[:, -2]) / unit if expected.shape[1] > 1 else np.zeros(len(expected))
        tolerance = STEP_TOLERANCE if scale else SHARE_TOLERANCE
        outcomes.append(
            Outcome(
                format=fmt,
                samples=len(expected),
                same_top1=int(same.sum()),
                max_difference=float(np.abs(outputs - expected).max() / unit),
                unit="steps" if scale else "of the largest logit",
                tolerance=tolerance,
                # "Not within" instead of "beyond", so that a NaN never passes.
                failed=tuple(np.flatnonzero(broken | (~same & ~(lead <= tolerance))).tolist()),
            )
        )
    return outcomes


def wrong_pictures(bundle: Bundle) -> list[int]:
    """The golden samples whose encoded picture doesn't decode here to the very pixels that were stored.

    Raises:
        InputError: Pillow is not installed, or a picture is missing or damaged.
    """
    wrong = []
    for number, image in enumerate(bundle.golden().images):
        path = bundle.picture(number)
        pixels = decode(files.read_bytes(path), bundle.height, bundle.width, bundle.channels, str(path))
        if not np.array_equal(pixels, image):
            wrong.append(number)
    return wrong
