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
from tkit_edge.inputs.image import Image
from tkit_edge.isolated import IsolatedModel
from tkit_edge.outputs.classes import Classes
from tkit_edge.predict import OpenedModel, opened
from tkit_edge.tensors import TensorSpec

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
    height, width, channels = model.inputs[0].shape[1:]
    input = Image(height, width, channels, run.recipe.data.resize)
    yield Subject(_opened(_keras(model), input, run.classes), folder / "model.keras", KERAS, True)


@contextmanager
def of_bundle(folder: Path, format: str | None) -> Iterator[Subject]:
    """A bundle's file of a format; int8 where it has one, else its first, by default."""
    bundle = Bundle.read(folder)
    format = format or bundle.default_format
    with opened(bundle, format, machine.cores()) as model:
        yield Subject(model, bundle.path(format), format, True)


@contextmanager
def of_tflite(path: Path, pixels: Pixels | None) -> Iterator[Subject]:
    """Any .tflite classifier; quantized inputs show what pixels they take, for float ones it has to be given."""
    graph = flatbuffer.read(files.read_bytes(path), str(path))
    pixels = pixels or anatomy.pixels_of(graph)  # type: ignore[assignment]  # one of them
    if pixels is None:
        raise InputError(
            f"{path} doesn't show what pixels it takes. Say it: {PIXELS_CHOICES} (tkit's own files take 0-255)."
        )
    with IsolatedModel(path, machine.cores(), pixels=pixels) as model:
        input = Image.of(model.inputs, str(path), "keras")
        output = Classes.of(model.outputs, str(path), anatomy.output_of(graph))
        scores = model.outputs[0].shape[-1]
        yield Subject(_opened(_two_scores(model.predict, scores, output.form), input, output), path, "tflite", False)


@contextmanager
def of_keras(path: Path, pixels: Pixels | None) -> Iterator[Subject]:
    """A .keras file by itself: its classes have numbers only."""
    from tkit.keras_files.reader import read

    found = read(path, pixels)
    input = Image(*found.input_shape, "keras")
    output = Classes.of([TensorSpec(found.output, (found.outputs,), "float32")], str(path), found.output)
    run = _two_scores(_keras(found.model), found.outputs, found.output)
    yield Subject(_opened(run, input, output), path, KERAS, False)


def _opened(run: Outputs, input: Image, output: Classes) -> OpenedModel:
    (taken,), (given,) = input.tensors, output.tensors
    return OpenedModel(lambda arrays: {given.name: run(arrays[taken.name])}, input, output)


def _two_scores(run: Outputs, outputs: int, output: str) -> Outputs:
    """A single score, of the second of two classes, as a score for each."""
    if outputs > 1:
        return run
    first, offset, second = (-1.0, 1.0, 1.0) if output == "probabilities" else (-0.5, 0.0, 0.5)

    def both(images: np.ndarray) -> np.ndarray:
        score = run(images).reshape(len(images), 1)
        return np.concatenate([first * score + offset, second * score], axis=1)

    return both


def _keras(model: keras.Model) -> Outputs:
    return lambda images: model.predict(images.astype(np.float32), batch_size=128, verbose=0)
