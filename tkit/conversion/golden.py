"""Golden samples: examples with which a device verifies its results, without the original files' metadata."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from tkit import console
from tkit_edge.images import decode, encode_jpeg
from tkit_edge.inputs import Input
from tkit_edge.inputs.image import Image
from tkit_edge.outputs import Output
from tkit_edge.tensors import Arrays
from tkit_pipelines.dataset import Examples


class GoldenSamples(NamedTuple):
    """Inputs and targets by name, and the samples' files; None for one that is made."""

    inputs: Arrays
    targets: Arrays
    encoded: Sequence[bytes | None]


def golden_samples(examples: Examples, input: Input, output: Output, *, originals: bool) -> GoldenSamples:
    """The examples as the model sees them, encoded without metadata, or with their original files.

    The first of encoded images is a JPEG, so that a device's own JPEG decoder is checked too; its golden pixels are
    those of the JPEG. A text is always its own file: ids don't tell it.

    Args:
        examples: the examples.
        input: what a device reads.
        output: what it gives.
        originals: use the original files, with their metadata.
    """
    inputs = examples.arrays([spec.name for spec in input.tensors])
    targets = examples.arrays([spec.name for spec in output.targets])
    if originals or input.originals:
        files = [examples.encoded(index) for index in range(len(examples))]
        if input.originals:
            return GoldenSamples(inputs, targets, files)
        if any(file is not None for file in files):
            what = f"the original {input.example} files"
            console.say(f"golden samples: {what}, with all their metadata (export.golden=originals)")
            return GoldenSamples(inputs, targets, files)
        console.say(f"golden samples: re-encoded: this data has no {input.example} files (export.golden=originals)")
    encoded: list[bytes | None] = [None] * len(examples)
    if isinstance(input, Image) and encoded:
        images = np.array(inputs["image"])
        encoded[0] = jpeg = encode_jpeg(images[0])
        images[0] = decode(jpeg, *input.shape, input.resize)
        inputs = {"image": images}
    return GoldenSamples(inputs, targets, encoded)
