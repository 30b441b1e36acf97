"""Sampling: images that a generator makes of noise, for people to look at."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from tkit_edge import files
from tkit_edge.errors import InputError
from tkit_edge.grid import grid
from tkit_edge.inputs import Input
from tkit_edge.inputs.noise import Noise
from tkit_edge.outputs import NOT_FINITE, Output
from tkit_edge.outputs.image import Image
from tkit_edge.png import png
from tkit_edge.predict import OpenedModel
from tkit_edge.tensors import Arrays

VERSION = 1
"""Of the JSON document."""
DEFAULT_COUNT = 64
MOST = 10_000
"""Images of one call; all are in memory."""
STEPS = 8
"""Images of a row of an interpolation, both ends among them."""
_PARALLEL = 1e-6
"""The sine of an angle below which the arc between two vectors is not defined, or is their straight line."""


@dataclass(frozen=True)
class Sampled:
    """Images that a generator made."""

    pixels: np.ndarray
    """uint8 [n, height, width, channels]."""
    inputs: Arrays
    """What each was made of: `noise`, and `label` where the generator knows classes."""
    columns: int | None
    """Of the grid that shows them; None: as many as make it nearly square."""


def sample(
    model: OpenedModel, count: int = DEFAULT_COUNT, seed: int = 0, label: str | None = None, interpolate: bool = False
) -> Sampled:
    """Draws noise and makes images of it.

    Args:
        model: a generator.
        count: how many images.
        seed: of the noise, which is the same on every machine.
        label: the class of all images; by default all classes by turns.
        interpolate: rows of `STEPS` images on the way from one latent vector to another.

    Raises:
        InputError: the model is no generator, no image or too many, an unknown class, or a damaged model.

    Example:
        >>> with opened(bundle, "int8") as model:
        ...     image = grid(sample(model, 64, seed=7).pixels)
    """
    input, output = generator(model.input, model.output)
    if count > MOST:
        raise InputError(f"Expected at most {MOST:,} samples at once, received {count:,}: make others of another seed.")
    inputs = _interpolated(input, count, seed, label) if interpolate else input.drawn(count, seed, label)
    outputs = model.run(inputs)
    if not np.isfinite(outputs["image"]).all():
        raise InputError(f"There is nothing to see: {NOT_FINITE}")
    return Sampled(output.pixels(outputs), inputs, STEPS if interpolate else None)


def generator(input: Input, output: Output) -> tuple[Noise, Image]:
    """What a generator takes and gives; InputError for any other model."""
    if not isinstance(input, Noise) or not isinstance(output, Image):
        raise InputError(
            f"This model is no generator: it takes {input.example}s and gives {output.line()}; `predict` is for it."
        )
    return input, output


def spherical(start: np.ndarray, end: np.ndarray, share: float) -> np.ndarray:
    """The vectors at a share of the arcs from `start` to `end`, float32 [n, size] each.

    On a straight line they would be shorter in the middle than the noise that the generator has learned from.

    Source: White 2016, "Sampling generative networks" (slerp).
    """
    first, last = start.astype(np.float64), end.astype(np.float64)
    norms = np.linalg.norm(first, axis=1, keepdims=True) * np.linalg.norm(last, axis=1, keepdims=True)
    angle = np.arccos(np.clip(np.sum(first * last, axis=1, keepdims=True) / np.maximum(norms, 1e-30), -1.0, 1.0))
    sine = np.sin(angle)
    line = sine < _PARALLEL
    sine = np.where(line, 1.0, sine)
    before = np.where(line, 1.0 - share, np.sin((1.0 - share) * angle) / sine)
    after = np.where(line, share, np.sin(share * angle) / sine)
    found: np.ndarray = (before * first + after * last).astype(np.float32)
    return found


def check_paths(out: Path | None, separate: Path | None) -> None:
    """Raises InputError where a grid or single images can't be written, before anything is run."""
    if out is not None and out.suffix.lower() != ".png":
        raise InputError(f"{out}: expected the name of a .png file for the grid.")
    for path in (out, separate):
        if path is not None and not path.parent.is_dir():
            raise InputError(f"Cannot write {path}: the folder {path.parent} does not exist.")


def write_separate(folder: Path, pixels: np.ndarray) -> None:
    """Each image as a file of its own, in its own size: 0000.png and so on.

    Raises:
        InputError: they can't be written.
    """
    for number, image in enumerate(pixels):
        files.write_bytes(folder / f"{number:04d}.png", png(image))


def write_grid(path: Path, pixels: np.ndarray, columns: int | None) -> None:
    """The images as a grid in a PNG file; InputError where it can't be written."""
    files.write_bytes(path, png(grid(pixels, columns)))


def document(
    pixels: np.ndarray, *, model: str, seed: int, label: str | None, interpolate: bool, out: Path, separate: Path | None
) -> dict[str, Any]:
    """What was made, as JSON values."""
    count, height, width, channels = pixels.shape
    return {
        "kind": "samples",
        "version": VERSION,
        "model": model,
        "samples": count,
        "seed": seed,
        "class": label,
        "interpolate": interpolate,
        "height": height,
        "width": width,
        "channels": channels,
        "out": str(out),
        "separate": None if separate is None else str(separate),
    }


def _interpolated(input: Noise, count: int, seed: int, label: str | None) -> Arrays:
    """Rows of `STEPS` vectors, of one class each, from the first half of what is drawn to the second."""
    if count < 1 or count % STEPS:
        raise InputError(f"An interpolation has rows of {STEPS} images: expected a multiple of it, received {count}.")
    rows = count // STEPS
    drawn = input.drawn(2 * rows, seed, label)
    start, end = drawn["noise"][:rows], drawn["noise"][rows:]
    steps = [spherical(start, end, step / (STEPS - 1)) for step in range(STEPS)]
    noise = np.stack(steps, axis=1).reshape(count, input.size)
    return {"noise": noise, **({"label": drawn["label"][:rows].repeat(STEPS)} if input.classes else {})}
