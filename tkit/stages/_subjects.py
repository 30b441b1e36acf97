"""Whatever can predict, opened: a run's variant, a bundle, a .tflite file, a .keras file.

Each `of_...` is a context manager: a .tflite file runs in a limited process, which ends with the block.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
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
from tkit_edge.inputs.tensors import Tensors
from tkit_edge.isolated import IsolatedModel
from tkit_edge.model_file import specs
from tkit_edge.outputs import Output
from tkit_edge.outputs.classes import Classes
from tkit_edge.outputs.tensors import Tensors as AnyOutput
from tkit_edge.predict import OpenedModel, opened
from tkit_edge.tensors import Arrays, TensorSpec, bound, listed
from tkit_pipelines.data.images import Images

if TYPE_CHECKING:
    import keras

KERAS = "keras"
Outputs = Callable[[np.ndarray], np.ndarray]


class Subject(NamedTuple):
    """What predicts, and the file it came from."""

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

    model, input = model_files.load(run.model_folder(variant)), run.input
    if isinstance(input, Image) and isinstance(run.recipe.data, Images):  # which may be overridden
        input = replace(input, resize=run.recipe.data.resize)
    yield Subject(OpenedModel(_keras(model, run.output), input, run.output), folder / "model.keras", KERAS, True)


@contextmanager
def of_bundle(folder: Path, format: str | None) -> Iterator[Subject]:
    """A bundle's file of a format; int8 where it has one, else its first, by default."""
    bundle = Bundle.read(folder)
    format = format or bundle.default_format
    with opened(bundle, format, machine.cores()) as model:
        yield Subject(model, bundle.path(format), format, True)


@contextmanager
def of_tflite(path: Path, pixels: Pixels | None) -> Iterator[Subject]:
    """Any .tflite file; quantized inputs of images show what pixels they take, for float ones it has to be given.

    One image in and one row of scores out is a classifier; others are taken as they are.
    """
    graph = flatbuffer.read(files.read_bytes(path), str(path))
    taken, given = specs(graph, graph.inputs), specs(graph, graph.outputs)
    if not _takes_image(taken):
        if pixels is not None:
            raise InputError(f"{path} takes {listed(taken)}; --pixels is for files that take one image.")
        with IsolatedModel(path, machine.cores()) as model:
            opened = OpenedModel(model.run, Tensors.of(taken), AnyOutput.of(given))
            yield Subject(opened, path, "tflite", False)
        return
    pixels = pixels or anatomy.pixels_of(graph)  # type: ignore[assignment]  # one of them
    if pixels is None:
        raise InputError(
            f"{path} doesn't show what pixels it takes. Say it: {PIXELS_CHOICES} (tkit's own files take 0-255)."
        )
    with IsolatedModel(path, machine.cores(), pixels=pixels) as model:
        input = Image.of(model.inputs, str(path), "keras")
        if not _gives_scores(given):
            opened = OpenedModel(bound(model, input.tensors, model.outputs), input, AnyOutput.of(model.outputs))
            yield Subject(opened, path, "tflite", False)
            return
        output = Classes.of(model.outputs, str(path), anatomy.output_of(graph))
        scores = model.outputs[0].shape[-1]
        run = _opened(_two_scores(path, model.predict, scores, output.form), input, output)
        yield Subject(run, path, "tflite", False)


@contextmanager
def of_keras(path: Path, pixels: Pixels | None) -> Iterator[Subject]:
    """A .keras file by itself: its classes have numbers only; without an image or scores, its tensors as they are."""
    from tkit.keras_files.reader import read

    found = read(path, pixels)
    if not isinstance(found.input, Image) or found.row is None:
        output = AnyOutput.of(found.outputs)
        yield Subject(OpenedModel(_keras(found.model, output), found.input, output), path, KERAS, False)
        return
    classes = Classes.of(found.outputs, str(path), found.form)
    (given,), scores = found.outputs, _keras(found.model, AnyOutput.of(found.outputs))
    run = _two_scores(path, lambda images: scores({"image": images})[given.name], found.row, found.form)
    yield Subject(_opened(run, found.input, classes), path, KERAS, False)


def _takes_image(taken: Sequence[TensorSpec]) -> bool:
    return len(taken) == 1 and len(taken[0].shape) == 3 and taken[0].shape[2] in (1, 3)


def _gives_scores(given: Sequence[TensorSpec]) -> bool:
    return len(given) == 1 and math.prod(given[0].shape) == max(given[0].shape, default=0)


def _opened(run: Outputs, input: Image, output: Classes) -> OpenedModel:
    (taken,), (given,) = input.tensors, output.tensors
    return OpenedModel(lambda arrays: {given.name: run(arrays[taken.name])}, input, output)


def _two_scores(path: Path, run: Outputs, outputs: int, output: str) -> Outputs:
    """A single score, of the second of two classes, as a score for each."""
    if outputs > 1:
        return run
    console.say(f"{path}: its single score is taken for that of the second of two classes")
    first, offset, second = (-1.0, 1.0, 1.0) if output == "probabilities" else (-0.5, 0.0, 0.5)

    def both(images: np.ndarray) -> np.ndarray:
        score = run(images).reshape(len(images), 1)
        return np.concatenate([first * score + offset, second * score], axis=1)

    return both


def _keras(model: keras.Model, output: Output) -> Callable[[Arrays], dict[str, np.ndarray]]:
    from tkit.arrays import predicted

    return lambda arrays: predicted(model, arrays, output.tensors, 128)
