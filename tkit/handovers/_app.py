"""The .tflite file of an app: float32 pixels of 0-255 in, float32 out, labels and contract inside."""

from __future__ import annotations

from pathlib import Path
from string import Template
from typing import NamedTuple

import numpy as np

from tkit import files
from tkit.conversion import process
from tkit.conversion.float_ends import float_ends
from tkit.conversion.metadata import with_metadata
from tkit.handovers import Source
from tkit_edge.bundle import Bundle
from tkit_edge.errors import InputError
from tkit_edge.inputs.image import Image
from tkit_edge.outputs.classes import Classes

MODEL = "model.tflite"
_SAMPLES = 8
_FITS = {"crop": "crop", "stretch": "stretch", "keras": "stretch", "keras-crop": "crop", "keras-pad": "pad"}
"""What an app does to images of other sizes, by the rule of `tkit_edge.images`."""


class AppFile(NamedTuple):
    """What an app is built around."""

    format: str
    data: bytes
    input: Image
    output: Classes


def app_file(source: Source, form: str, fmt: str | None) -> AppFile:
    """A bundle's file for an app.

    Args:
        source: what was exported.
        form: what messages call the handover.
        fmt: which of the bundle's files; int8 by default, where it has one.

    Raises:
        InputError: no bundle, no such file in it, or a model that is no classifier of images.
    """
    bundle = source.bundle
    if bundle is None:
        raise InputError(f"{form} needs what the model takes and gives: name a run or its bundle, not a .tflite file.")
    input, output = bundle.input, bundle.output
    if not isinstance(input, Image) or not isinstance(output, Classes):
        raise InputError(
            f"{form} is written for classifiers of images; this model takes {input.kind} and gives {output.kind}. Its "
            "bundle's files run in an app too: what they take and give is in bundle.json."
        )
    fmt = fmt or bundle.default_format
    path = bundle.path(fmt)
    made = float_ends(path.read_bytes())
    _check_same(bundle, path.read_bytes(), made)
    return AppFile(fmt, with_metadata(made, name=source.name, input=input, output=output), input, output)


def _check_same(bundle: Bundle, before: bytes, after: bytes) -> None:
    """Raises InputError unless both files give the same bytes for the same pixels."""
    shape = (_SAMPLES, *bundle.input.tensors[0].shape)
    pixels = {"image": np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)}
    first, second = (process.outputs(data, pixels, bundle.input, bundle.output) for data in (before, after))
    if any(not np.array_equal(first[name], second[name]) for name in first):
        raise InputError("The file with float32 ends computes something else than the bundle's: please report it.")


def write_page(folder: Path, page: Path, name: str, app: AppFile) -> None:
    """Copies a page, or code, with the model's own numbers for its $NAMES."""
    image, rule = app.input, app.input.as_json()["resize"]
    text = Template(page.read_text()).substitute(
        NAME=name,
        FORMAT=app.format,
        BYTES=f"{len(app.data):,}",
        HEIGHT=image.height,
        WIDTH=image.width,
        CHANNELS=image.channels,
        COLOUR="grey" if image.channels == 1 else "red, green, blue",
        RESIZE=rule,
        FIT=_FITS[image.resize],
        ANTIALIAS=str("without antialiasing" not in rule).lower(),
        CLASSES=len(app.output.names),
        LABELS=", ".join(app.output.names[:5]) + (", ..." if len(app.output.names) > 5 else ""),
        SOFTMAX=str(app.output.form == "logits").lower(),
        FORM="a score per class, before the softmax" if app.output.form == "logits" else "a probability per class",
    )
    files.write_bytes(folder / page.name, text.encode())
