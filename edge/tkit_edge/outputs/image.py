"""An image that a model makes: floats from -1 to 1, or their codes, which are pixels from 0 to 255 to people."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from tkit_edge.errors import InputError
from tkit_edge.fields import Fields
from tkit_edge.outputs import NOT_FINITE, STEP_TOLERANCE, Outcome, Output, noise
from tkit_edge.tensors import Arrays, TensorSpec

PIXELS = "-1 to 1"
SAME_PSNR, NEAR_PSNR = 40.0, 25.0
"""In dB: above the first nobody sees a difference, above the second it is the same image with some noise."""
TOLERATED = 2 / 255
"""Mean difference of an image's values, of a range of 2, that another machine's kernels explain."""


@dataclass(frozen=True)
class Picture:
    """One image: uint8 [height, width, channels]."""

    pixels: np.ndarray

    def line(self) -> str:
        """Its size and mean."""
        height, width, channels = self.pixels.shape
        colour = "colour" if channels == 3 else "grey"
        return f"a {colour} image of {height}x{width}, mean {self.pixels.mean():.0f} of 255"

    def as_json(self) -> dict[str, Any]:
        """The pixels."""
        return {"pixels": self.pixels.tolist()}


@dataclass(frozen=True)
class Image(Output):
    """One image, float32 [height, width, channels], from -1 (black) to 1."""

    kind = "image"
    answer = "image"
    height: int
    width: int
    channels: int

    @property
    def saturated(self) -> bool:
        """By the tanh that the values come from."""
        return True

    def line(self) -> str:
        """Its size."""
        return f"{'colour' if self.channels == 3 else 'grey'} images of {self.height}x{self.width}"

    @property
    def tensors(self) -> tuple[TensorSpec, ...]:
        """One: the values."""
        return (TensorSpec("image", (self.height, self.width, self.channels), "float32"),)

    @property
    def targets(self) -> tuple[TensorSpec, ...]:
        """None: no single image is right."""
        return ()

    def pixels(self, outputs: Arrays) -> np.ndarray:
        """The images for people: uint8 [n, height, width, channels]."""
        return np.clip(np.rint((outputs["image"] + 1.0) * 127.5), 0, 255).astype(np.uint8)

    def answers(self, outputs: Arrays, top: int) -> Sequence[Picture | str]:
        """The images."""
        finite = [bool(np.isfinite(image).all()) for image in outputs["image"]]
        pixels = self.pixels({"image": np.nan_to_num(outputs["image"])})
        return [Picture(image) if known else NOT_FINITE for image, known in zip(pixels, finite)]

    def compared(self, expected: Arrays, outputs: Arrays, scales: Mapping[str, float]) -> Outcome:
        """A mean difference past the tolerance is a failure: single pixels of another kernel may differ by more."""
        scale = scales["image"]
        apart = np.abs(outputs["image"].astype(np.float64) - expected["image"]).reshape(len(outputs["image"]), -1)
        failed = ~(apart.mean(axis=1) <= TOLERATED)
        largest = float(apart.max()) if np.isfinite(apart).all() else math.inf
        return Outcome(
            samples=len(failed),
            same=int(np.sum(~failed)),
            answer=self.answer,
            max_difference=largest / (scale or 1.0),
            unit="steps" if scale else "of the largest value",
            tolerance=STEP_TOLERANCE if scale else TOLERATED,
            failed=tuple(np.flatnonzero(failed).tolist()),
        )

    def misfit(self, targets: Arrays) -> str:
        """Nothing: there are no targets."""
        return ""

    def psnr(self, reference: Arrays, outputs: Arrays) -> np.ndarray:
        """The peak signal-to-noise ratio of each image in dB, float64 [n]; the peak is the range, from -1 to 1.

        106 at most, and -inf for an image that isn't finite.
        """
        apart = (outputs["image"].astype(np.float64) - reference["image"]).reshape(len(outputs["image"]), -1)
        noise = np.maximum(np.mean(np.nan_to_num(apart, nan=np.inf) ** 2, axis=1), 1e-10)
        with np.errstate(divide="ignore"):
            found: np.ndarray = 10 * np.log10(4.0 / noise)
        return found

    def quality(self, reference: Arrays, outputs: Arrays) -> dict[str, float]:
        """The mean of `psnr`."""
        return {"psnr": float(np.mean(self.psnr(reference, outputs)))}

    def agreement(self, reference: Arrays, outputs: Arrays) -> tuple[np.ndarray, np.ndarray]:
        """By the ratio of signal and noise."""
        found = self.psnr(reference, outputs)
        return found >= SAME_PSNR, found >= NEAR_PSNR

    def divergence(self, reference: Arrays, outputs: Arrays) -> float:
        """The noise's power as a share of the images' variance."""
        return noise(reference["image"], outputs["image"])

    def as_json(self) -> dict[str, Any]:
        """Size and range."""
        return {"height": self.height, "width": self.width, "channels": self.channels, "pixels": PIXELS}

    @classmethod
    def from_json(cls, fields: Fields) -> Image:
        """As `as_json` wrote it."""
        pixels = fields.get("pixels", str)
        if pixels != PIXELS:
            raise InputError(f"{fields.file}: {fields.place}pixels is {pixels!r}; this tkit-edge knows {PIXELS!r}.")
        return cls(fields.count("height"), fields.count("width"), fields.count("channels", most=3))
