"""Sampling any generator, through the code that a device runs; and which training images samples look like."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from tkit import console
from tkit.keras_files.formats import is_model
from tkit.run_folder import Run
from tkit.stages._common import as_run, data_of, refuse_unused, stage
from tkit.stages._subjects import Subject, of_bundle, of_run
from tkit_edge import sample as device
from tkit_edge.errors import InputError
from tkit_edge.tensors import Arrays

if TYPE_CHECKING:
    from tkit.evaluation.nearest import Memorization
    from tkit_pipelines.splits import Splits

HELD_OUT = 500
"""Validation images whose nearest training images samples are compared with, all if there are fewer."""


@dataclass(frozen=True)
class Samples:
    """Images that a generator made."""

    pixels: np.ndarray
    """uint8 [n, height, width, channels]."""
    inputs: Arrays
    """What each was made of: `noise`, and `label` where the generator knows classes."""
    seed: int
    model: Path
    """The file that made them."""
    path: Path | None
    """Of the grid, where one was written."""
    nearest: Memorization | None
    """Their nearest training images, where asked for."""


@stage()
def sample(
    subject: Run | str | Path,
    num: int = device.DEFAULT_COUNT,
    *,
    seed: int = 0,
    label: str | None = None,
    interpolate: bool = False,
    nearest: bool = False,
    out: str | Path | None = None,
    separate: str | Path | None = None,
    variant: str | None = None,
    format: str | None = None,
    runs_dir: str | Path | None = None,
    overrides: Sequence[str] = (),
) -> Samples:
    """Images that a generator makes of noise; the same noise for the same seed, here and on a device.

    Args:
        subject: a generator's run or its folder, or a bundle.
        num: how many images.
        seed: of the noise.
        label: the class of all images; by default all classes by turns.
        interpolate: rows of 8 images on the way from one latent vector to another, on a sphere.
        nearest: find each sample's nearest training image too (runs only); in the grid it is on the sample's right.
        out: a .png file for a grid of the images; none by default.
        separate: a folder for each image as a file of its own; none by default.
        variant: of a run; the newest by default.
        format: "keras" or an exported format; int8 where it is exported, else what there is.
        runs_dir: where a run's name is looked up; $TKIT_RUNS or ./runs by default.
        overrides: of the data, for `nearest`: "data.source=PATH" where it has moved.

    Returns:
        The pixels, what they were made of, and the paths.

    Raises:
        InputError: no generator, an unknown class, no image, or a file that can't be written.

    Example:
        >>> tkit.sample("runs/dcgan_digits-1", 16, seed=7).pixels.shape
        (16, 8, 8, 1)
    """
    path, folder = (None if place is None else Path(place) for place in (out, separate))
    device.check_paths(path, folder)
    with _opened(subject, variant, format, runs_dir, nearest) as (run, opened):
        device.generator(opened.model.input, opened.model.output)
        splits = data_of(run, run.with_overrides(overrides).recipe) if nearest and run is not None else None
        console.say(str(opened.file))
        made = device.sample(opened.model, num, seed, label, interpolate)
    found = None if splits is None else _memorization(made.pixels, splits, seed)
    if path is not None:
        shown, columns = (made.pixels, made.columns) if found is None else found.pairs(made.pixels, made.columns)
        device.write_grid(path, shown, columns)
    if folder is not None:
        device.write_separate(folder, made.pixels)
    return Samples(made.pixels, made.inputs, seed, opened.file, path, found)


@contextmanager
def _opened(
    subject: Run | str | Path, variant: str | None, format: str | None, runs_dir: str | Path | None, nearest: bool
) -> Iterator[tuple[Run | None, Subject]]:
    """What samples are made with, and its run where it is one."""
    path = None if isinstance(subject, Run) else Path(subject)
    if path is not None and (is_model(path) or path.suffix == ".tflite"):
        raise InputError(f"{path} doesn't tell what it makes images of. Give its run or its bundle.")
    if path is not None and (path / "bundle.json").is_file():
        refuse_unused(f"{path}, a bundle,", variant=variant)
        if nearest:
            raise InputError(f"{path}, a bundle, holds no training images, which --nearest needs. Give its run.")
        with of_bundle(path, format) as opened:
            yield None, opened
        return
    run = as_run(subject, runs_dir)
    with of_run(run, variant or run.variant, format) as opened:
        yield run, opened


def _memorization(pixels: np.ndarray, splits: Splits, seed: int) -> Memorization:
    """The samples' nearest training images, and those of held-out images."""
    from tkit.conversion.held_out import drawn
    from tkit.evaluation.nearest import Memorization

    training, held_out = splits.train, drawn(splits.validation, HELD_OUT, seed)
    return Memorization.of(pixels, held_out.images, training.images, training.file)
