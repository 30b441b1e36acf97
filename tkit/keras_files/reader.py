"""Reads an untrusted .keras file safely, into one flat float32 functional model of stock layers; images as raw pixels.

A limited process (`child`) opens the file, and returns the model's JSON and arrays; here the model is rebuilt
from them, as tkit rebuilds its own models. Keras's loader never opens the file in the user's own process.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import keras
import numpy as np

from tkit import console, model_files
from tkit.graph import fresh, takes_image
from tkit.keras_files import archive
from tkit.keras_files.normal_form import NormalForm, normal_form
from tkit.keras_files.two_classes import two_classes
from tkit.keras_internals import producer
from tkit_edge.child import Child
from tkit_edge.errors import InputError
from tkit_edge.inputs.image import Image
from tkit_edge.inputs.tensors import Tensors
from tkit_edge.outputs.classes import Classes
from tkit_edge.pixels import PIXELS
from tkit_edge.tensors import TensorSpec

TIMEOUT = 600.0
"""Seconds that reading a file may take."""


class Found(NamedTuple):
    """A model that was read, with its inputs and outputs."""

    model: keras.Model
    input: Image | Tensors
    outputs: tuple[TensorSpec, ...]
    activation: str | None
    """ "softmax" or "sigmoid" where the only output ends in it."""
    pixels: str | None
    """Pixel range of the file's own model, as given by the user or shown by the model; None without an image."""

    @property
    def row(self) -> int | None:
        """The number of values of the only output, if that is a row of them."""
        return self.outputs[0].shape[0] if [len(spec.shape) for spec in self.outputs] == [1] else None

    @property
    def form(self) -> str:
        """What a classifier's scores are."""
        return "probabilities" if self.activation else "logits"

    def classes(self, names: Sequence[str]) -> Classes:
        """The output of a classifier, its classes in order."""
        return Classes(tuple(names), self.form)


def read(path: Path, pixels: str | None, *, images: bool = True) -> Found:
    """The model in a .keras file; one of images on raw 0-255 float32 pixels.

    Args:
        path: the file.
        pixels: one of `tkit_edge.runtime.PIXELS`, or None where the model's own first layer shows it.
        images: whether a model of one image is read as such; otherwise it takes its own tensor, as in the file.

    Raises:
        InputError: no complete .keras file, code or classes that aren't stock Keras, tensors of unknown size, or
            `pixels` that has to be given; or reading it takes too long, too much memory, or crashes.
    """
    with Child("tkit.keras_files.child", [str(path)], str(path), TIMEOUT) as child:
        answer, data = child.ask(
            "read",
            pixels=pixels,
            images=images,
            answer_limit=2 * archive.MAX_CONFIG_BYTES,
            payload_limit=2 * archive.MAX_BYTES,  # half precision is twice as large here
        )
        try:
            architecture, weights = answer["architecture"], _arrays(answer["weights"], data)
            activation, taken, raw = answer["activation"], answer["pixels"], answer["raw"]
        except (KeyError, TypeError, ValueError) as error:
            raise child.nonsense("read") from error
        if activation not in (None, "softmax", "sigmoid") or taken not in PIXELS or not isinstance(raw, bool):
            raise child.nonsense("read")
    model = model_files.rebuild(architecture, weights, path)
    return _found(NormalForm(model, activation, taken, raw), str(path), images)


def found_in(model: keras.Model, pixels: str | None, where: str, *, images: bool = True) -> Found:
    """As `read`, of a model of this process, of stock layers; its operations may get other names.

    `where` is what messages call it.
    """
    return _found(normal_form(model, pixels, where, images=images), where, images)


def _found(form: NormalForm, where: str, images: bool) -> Found:
    model, activation, taken, raw = form
    if raw and taken != "0-255":
        console.say(
            f"Warning: {where} begins with its own scaling of raw 0-255 pixels; --pixels {taken} scales them once more "
            "before it. Leave --pixels out unless it was trained on that."
        )
    outputs = tuple(_specs(model.outputs))
    if images and takes_image(model):
        height, width, channels = model.inputs[0].shape[1:]
        return Found(model, Image(height, width, channels, "keras"), outputs, activation, taken)
    return Found(model, Tensors.of(tuple(_specs(model.inputs))), outputs, activation, None)


def _specs(tensors: Sequence[keras.KerasTensor]) -> Iterator[TensorSpec]:
    """Those of a model's inputs or outputs, by the names of the layers that give them."""
    taken: set[str] = set()
    for tensor in tensors:
        yield TensorSpec(fresh(str(producer(tensor).name), taken), tuple(tensor.shape[1:]), tensor.dtype)


def read_weights(path: Path, name: str, shape: tuple[int, int, int]) -> list[np.ndarray]:
    """A weights file's arrays for a network of Keras Applications, in the network's order.

    Args:
        path: a .weights.h5, .h5 or .keras file; of the last only the arrays are read.
        name: the network's, as `keras.applications` calls it.
        shape: height, width and channels of its input.

    Raises:
        InputError: arrays that don't fit, anything but plain arrays in the file, or reading it crashes.
    """
    with Child("tkit.keras_files.child", [str(path)], str(path), TIMEOUT) as child:
        answer, data = child.ask(
            "weights",
            name=name,
            shape=list(shape),
            answer_limit=2 * archive.MAX_CONFIG_BYTES,
            payload_limit=2 * archive.MAX_BYTES,
        )
        try:
            return list(_arrays(answer["weights"], data).values())
        except (KeyError, TypeError, ValueError) as error:
            raise child.nonsense("weights") from error


def _arrays(described: list[Any], data: bytes) -> dict[str, np.ndarray]:
    """The arrays whose names, dtypes and shapes the child has sent, and their concatenated bytes."""
    arrays, start = {}, 0
    for name, dtype, shape in described:
        kind = np.dtype(dtype)
        count = int(np.prod(shape, dtype=object))
        if kind.kind not in "fiub" or not isinstance(name, str) or min(shape, default=1) < 0:
            raise ValueError(name)
        arrays[name] = np.frombuffer(data, kind, count, start).reshape(shape)
        start += count * kind.itemsize
    return arrays


def with_outputs(found: Found, classes: int, path: str) -> Found:
    """A classifier with one output per class: a single score for two classes becomes two.

    Raises:
        InputError: another number of outputs than classes.
    """
    if found.row == classes:
        return found
    if found.row != 1 or classes != 2:
        other = " If it gives a number, say so: data.labels=numbers." if found.row == 1 else ""
        raise InputError(
            f"{path} has {found.row} outputs, the data has {classes} classes: expected one output per class, in "
            f"the order of the class folders' names.{other}"
        )
    if found.activation == "softmax":
        raise InputError(
            f"{path} ends in a softmax over a single score, which is 1 for every image. For two classes end with "
            "Dense(2, activation='softmax') or Dense(1, activation='sigmoid'), and train again."
        )
    activation = "softmax" if found.activation else None
    made = two_classes(found.model)
    return found._replace(model=made, outputs=tuple(_specs(made.outputs)), activation=activation)
