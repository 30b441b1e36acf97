"""Does this device compute what the exporting machine computed? The golden samples of a bundle, run here.

Runtimes, versions and kernels round differently, so outputs needn't be equal. A top-1 class that differs is a
failure where the expected logits were clear: where the first class led the second by more than a tolerance.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from tkit_edge import files
from tkit_edge.accuracy import top1
from tkit_edge.bundle import Bundle
from tkit_edge.errors import InputError
from tkit_edge.images import DECODER_TOLERANCE, LOSSY, decode
from tkit_edge.isolated import IsolatedModel

VERSION = 1
"""Of the JSON document."""
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
    """Of any logit, in `unit`s; infinite where an output is not finite."""
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
        with IsolatedModel(bundle.path(fmt)) as model:
            outputs = model.predict(golden.images)
        if outputs.shape != expected.shape:
            raise InputError(f"{bundle.path(fmt)} has {outputs.shape[1]} outputs, expected {expected.shape[1]}.")
        scale = bundle.models[fmt].output.scale
        unit = scale or max(float(np.abs(expected).max()), 1e-9)
        finite = np.isfinite(outputs).all(axis=1)
        same = top1(outputs) == expected.argmax(axis=1)
        ordered = np.sort(expected, axis=1)
        lead = (ordered[:, -1] - ordered[:, -2]) / unit if expected.shape[1] > 1 else np.zeros(len(expected))
        tolerance = STEP_TOLERANCE if scale else SHARE_TOLERANCE
        outcomes.append(
            Outcome(
                format=fmt,
                samples=len(expected),
                same_top1=int(same.sum()),
                max_difference=float(np.abs(outputs - expected).max() / unit) if finite.all() else math.inf,
                unit="steps" if scale else "of the largest logit",
                tolerance=tolerance,
                # "Not within" instead of "beyond", so that a NaN never passes.
                failed=tuple(np.flatnonzero(~finite | (~same & ~(lead <= tolerance))).tolist()),
            )
        )
    return outcomes


@dataclass(frozen=True)
class Images:
    """How the golden samples' encoded images decode here."""

    samples: int
    differing: tuple[int, ...]
    """Those that don't decode to the very pixels that were stored."""
    max_difference: int
    """Of any channel of any pixel, of 255."""
    failed: tuple[int, ...]
    """Those that differ by more than another JPEG or WebP decoder's rounding explains."""

    def line(self) -> str:
        """The outcome in one line."""
        text = f"images {self.samples - len(self.differing)} of {self.samples} decode to the expected pixels"
        if self.differing:
            text += (
                f"; largest difference {self.max_difference} of 255 (another JPEG decoder's rounding explains up to "
                f"{DECODER_TOLERANCE})"
            )
        return f"{text}: FAILED on samples {', '.join(map(str, self.failed))}" if self.failed else f"{text}: ok"


def document(bundle: Bundle, outcomes: Sequence[Outcome], images: Images | None) -> dict[str, Any]:
    """What was checked as JSON values; `images` is None where they couldn't be decoded here."""
    return {
        "kind": "check",
        "version": VERSION,
        "bundle": str(bundle.folder),
        "ok": not any(item.failed for item in outcomes) and not (images and images.failed),
        "files": [_values(item) for item in outcomes],
        "images": asdict(images) if images else None,
    }


def _values(outcome: Outcome) -> dict[str, Any]:
    values = asdict(outcome)
    return values if math.isfinite(outcome.max_difference) else {**values, "max_difference": None}  # JSON has no inf


def check_images(bundle: Bundle) -> Images:
    """Decodes the golden samples' encoded images and compares them with the pixels that the exporting machine saw.

    Raises:
        InputError: Pillow is not installed, or an image is missing or damaged.
    """
    differing, failed, largest = [], [], 0
    for number, image in enumerate(bundle.golden().images):
        path = bundle.image(number)
        size = (bundle.height, bundle.width, bundle.channels)
        pixels = decode(files.read_bytes(path), *size, bundle.resize, name=str(path))
        difference = int(np.abs(pixels.astype(np.int16) - image).max())
        largest = max(largest, difference)
        if difference:
            differing.append(number)
        if difference > (DECODER_TOLERANCE if path.suffix in LOSSY else 0):
            failed.append(number)
    return Images(bundle.golden_file.samples, tuple(differing), largest, tuple(failed))
