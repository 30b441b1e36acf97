"""Whatever can classify images, opened: a run's variant, a bundle, a .tflite file, a .keras file.

Each `of_...` is a context manager: a .tflite file runs in a limited process, which ends with the block.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from tkit import console
from tkit.keras_files.formats import PIXELS_CHOICES, Pixels
from tkit.run_folder import Run
from tkit_edge import anatomy, files, flatbuffer, machine
from tkit_edge.bundle import Bundle
from tkit_edge.errors import InputError
from tkit_edge.isolated import IsolatedModel
from tkit_edge.predict import OpenedModel, classifier, default_format

if TYPE_CHECKING:
    import keras

KERAS = "keras"
Outputs = Callable[[np.ndarray], np.ndarray]


class Subject(NamedTuple):
    """What classifies, and the file it came from."""

    model: OpenedModel
    file: Path
    format: str
    """"keras", or the .tflite file's name in its bundle; "tflite" for a file without one."""
    named: bool
    """Whether the labels are the classes' names, not only their numbers."""


@contextmanager
def of_run(run: Run, variant: str, format: str | None) -> Iterator[Subject]:
    """A run's variant: its Keras model, or an exported file.

    Args:
        run: the run.
        variant: which of its models.
        format: "keras" or an exported format; None for the exported int8 file, or what else there is.
    """
    folder = run.variant_folder(variant)
    exported = f"{variant}/export" in run.manifest["stages"]
    if format is None and not exported:
        console.say(f"{variant} isn't exported (tkit export {run.folder}): its Keras model is used")
        format = KERAS
    if format != KERAS:
        with of_bundle(run.whole("export", variant) / "export", format) as opened:
            yield opened
        return
    from tkit import model_files

    model = model_files.load(run.model_folder(variant))
    shape, resize = tuple(model.inputs[0].shape[1:]), run.recipe.data.resize
    loaded = OpenedModel(_keras(model), shape, resize, run.output, run.class_names)
    yield Subject(loaded, folder / "model.keras", KERAS, True)


@contextmanager
def of_bundle(folder: Path, format: str | None) -> Iterator[Subject]:
    """A bundle's file of a format; int8 where it has one, else its first, by default."""
    bundle = Bundle.read(folder)
    format = format or default_format(bundle)
    with classifier(bundle, format, machine.cores()) as model:
        yield Subject(model, bundle.path(format), format, True)


@contextmanager
def of_tflite(path: Path, pixels: Pixels | None) -> Iterator[Subject]:
    """Any .tflite classifier; quantized inputs show what pixels they take, for float ones it has to be said."""
    graph = flatbuffer.read(files.read_bytes(path), str(path))
    pixels = pixels or anatomy.pixels_of(graph)  # type: ignore[assignment]  # one of them
    if pixels is None:
        raise InputError(
            f"{path} doesn't show what pixels it takes. Say it: {PIXELS_CHOICES} (tkit's own files take 0-255)."
        )
    with IsolatedModel(path, machine.cores(), pixels=pixels) as model:
        yield _numbered(model.predict, model.input_shape, model.outputs, anatomy.output_of(graph), path, "tflite")


@contextmanager
def of_keras(path: Path, pixels: Pixels | None) -> Iterator[Subject]:
    """A .keras file by itself: its classes have numbers only."""
    from tkit.keras_files.reader import read

    found = read(path, pixels)
    yield _numbered(_keras(found.model), found.input_shape, found.outputs, found.output, path, KERAS)


def _numbered(run: Outputs, shape: tuple[int, int, int], outputs: int, output: str, path: Path, format: str) -> Subject:
    labels = tuple(str(number) for number in range(max(outputs, 2)))
    return Subject(OpenedModel(_two_scores(run, outputs, output), shape, "keras", output, labels), path, format, False)


def _two_scores(run: Outputs, outputs: int, output: str) -> Outputs:
    """A single score, of the second of two classes, as a score for each."""
    if outputs > 1:
        return run
    first, offset, second = (-1.0, 1.0, 1.0) if output == "probabilities" else (-0.5, 0.0, 0.5)

    def both(images: np.ndarray) -> np.ndarray:
        score = run(images)
        return np.concatenate([first * score + offset, second * score], axis=1)

    return both


def _keras(model: keras.Model) -> Outputs:
    return lambda images: model.predict(images.astype(np.float32), batch_size=128, verbose=0)
