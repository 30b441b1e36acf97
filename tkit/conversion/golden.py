"""Golden samples: images with which a device verifies its results, without the original files' metadata."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from tkit import console
from tkit_edge.images import decode, encode_jpeg
from tkit_pipelines.dataset import Examples


class GoldenSamples(NamedTuple):
    """Images uint8 [n, height, width, channels], their classes int32 [n], and their files; None for a PNG."""

    images: np.ndarray
    labels: np.ndarray
    encoded: Sequence[bytes | None]


def golden_samples(examples: Examples, resize: str, *, originals: bool) -> GoldenSamples:
    """The images as the model sees them, re-encoded without metadata, or with their original files.

    The first of the re-encoded images is a JPEG, so that a device's own JPEG decoder is checked too; its golden pixels
    are those of the JPEG.

    Args:
        examples: the images, decoded.
        resize: the rule by which a device decodes.
        originals: use the original files, with their metadata.
    """
    if originals:
        files = [examples.encoded(index) for index in range(len(examples))]
        if any(file is not None for file in files):
            console.say("golden samples: the original image files, with all their metadata (export.golden=originals)")
            return GoldenSamples(examples.images, examples.labels, files)
        console.say("golden samples: re-encoded: this data has no image files (export.golden=originals)")
    images = np.array(examples.images)
    encoded: list[bytes | None] = [None] * len(images)
    height, width, channels = images.shape[1:]
    if len(images):
        encoded[0] = jpeg = encode_jpeg(images[0])
        images[0] = decode(jpeg, height, width, channels, resize)
    return GoldenSamples(images, examples.labels, encoded)
