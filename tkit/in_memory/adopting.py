"""A model and the data that it is judged on, either of them in memory: how the model is read, and what is recorded."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import keras

from tkit.graph import takes_image
from tkit.in_memory import recorded
from tkit.in_memory.fitting import fitted, is_example, specs_of
from tkit.in_memory.labels import Outputs, targets
from tkit.in_memory.model import Copy, copied
from tkit.in_memory.objects import record
from tkit.in_memory.parts import parts
from tkit.in_memory.pixels import EightBit, eight_bit
from tkit.keras_files.formats import Pixels
from tkit.keras_files.normal_form import check_shapes
from tkit.keras_files.reader import Found, found_in, read
from tkit_edge.errors import InputError
from tkit_pipelines.data import Labels


class Subject(NamedTuple):
    """A model that is adopted: a file, or an object of this process."""

    model: Path | Copy

    @classmethod
    def of(cls, model: Any) -> Subject:
        """That of a path or a `keras.Model`; raises like `copied`."""
        return cls(Path(model) if isinstance(model, (str, Path)) else copied(model))

    @property
    def where(self) -> str:
        """What messages call it."""
        return str(self.model) if isinstance(self.model, Path) else self.model.where

    @property
    def name(self) -> str:
        """What its runs are called."""
        name = self.model.stem if isinstance(self.model, Path) else self.model.model.name
        return re.sub(r"[^A-Za-z0-9_.-]+", "-", name).lstrip("_.-") or "model"

    def file(self, runs_dir: str | Path | None) -> Path:
        """Its .keras file; an object's is recorded."""
        if isinstance(self.model, Path):
            return self.model.resolve()
        content = self.model.content
        return record(runs_dir, self.model.digest, "model.keras", lambda path: path.write_bytes(content))

    def read(self, pixels: Pixels | None) -> Found:
        """The model in its normal form; raises like `tkit.keras_files.reader.read`."""
        if isinstance(self.model, Path):
            return read(self.model, pixels)
        return found_in(self.model.model, pixels, self.where)

    def as_it_is(self) -> keras.Model:
        """The model of stock layers, of whatever it takes."""
        if isinstance(self.model, Path):
            return read(self.model, None, images=False).model
        check_shapes(self.model.model, self.where)
        return self.model.model


class Adopted(NamedTuple):
    """A model that was read together with its data."""

    found: Found
    settings: dict[str, Any]
    """Of the data config: `Images` where the model takes an image, else `Arrays`."""
    note: str | None
    """What of the data couldn't be recorded."""


def adopted_with(
    subject: Subject,
    data: Any,
    *,
    pixels: Pixels | None,
    labels: Labels | None,
    class_names: Sequence[str] | None,
    runs_dir: str | Path | None,
) -> Adopted:
    """The model, and its data from memory, recorded: as images where they are 8-bit ones, else as tensors.

    Args:
        subject: the model.
        data: see `tkit.in_memory.parts`; x as the model takes it.
        pixels: what the model was trained on, where x are raw pixels and it doesn't show it.
        labels: what y is, where that was said.
        class_names: in the order of the outputs.
        runs_dir: where runs lie.

    Raises:
        InputError: the data can't be read, or doesn't fit the model.
    """
    model, where = subject.as_it_is(), subject.where
    specs = specs_of(model)
    given = parts(data, partial(is_example, specs))
    inputs = {name: fitted(part.x, specs, where) for name, part in given.by_name.items()}
    images = eight_bit([part["image"] for part in inputs.values()]) if takes_image(model) else None
    if images is None and pixels is not None:
        raise InputError(f"pixels={pixels} is for x of 8-bit pixels, and x has other numbers. Leave pixels out.")
    found = found_in(model, None if images is None else _range(images, pixels), where, images=images is not None)
    right = targets(given.labels, labels, class_names, Outputs(where, found.row, found.activation))
    if images is None:
        types = {spec.name: spec.dtype for spec in specs}
        tensors = {
            part: {name: values.astype(types[name], copy=False) for name, values in x.items()}
            for part, x in inputs.items()
        }
        return Adopted(found, recorded.tensors(tensors, right, runs_dir), given.note)
    by_part = dict(zip(inputs, images.images, strict=True))
    return Adopted(found, recorded.images(by_part, right, runs_dir), given.note)


def _range(images: EightBit, pixels: Pixels | None) -> Pixels:
    """What the model was trained on: what x are, or what the user says of raw pixels."""
    if pixels is None or images.range == pixels:
        return images.range
    if images.range == "0-255":
        return pixels
    raise InputError(
        f"pixels={pixels}, and x are pixels of {images.range}. Leave pixels out: x is taken as the model takes it."
    )
