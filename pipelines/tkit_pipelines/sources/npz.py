"""Images as NumPy arrays in one .npz file: `x_train`, `y_train` and, where there are any, `x_test`, `y_test`.

Or `images`, `labels`, `test_images`, `test_labels`. Images are uint8 [N, H, W] or [N, H, W, 1, 3 or 4 (RGBA)], labels
integers [N] or [N, 1]. `class_names` (text, [classes]) may name what the labels count; without it the classes
are the labels that occur. Nothing pickled is read.
"""

from __future__ import annotations

import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from tkit_edge.errors import InputError
from tkit_pipelines.encoded import Encoded, EncodedImage, EncodedSource
from tkit_pipelines.files import State
from tkit_pipelines.memory import machine_memory
from tkit_pipelines.source import PathSource

KEYS = (("x_train", "y_train", "x_test", "y_test"), ("images", "labels", "test_images", "test_labels"))
EXPECTED = "expected x_train and y_train, and x_test and y_test if there are any (or images, labels, test_images, ...)"


class Npz(EncodedSource, PathSource):
    """Arrays in the user's own .npz file."""

    usage = "FILE.npz"

    def __init__(self, path: Path) -> None:
        self.path = path

    @classmethod
    def reads(cls, path: Path) -> bool:
        """Whether `path` is a zip file that holds nothing but arrays."""
        if not path.is_file() or not zipfile.is_zipfile(path):
            return False
        try:
            with zipfile.ZipFile(path) as archive:
                names = archive.namelist()
        except (zipfile.BadZipFile, OSError):
            return False
        return bool(names) and all(name.endswith(".npy") for name in names)

    @classmethod
    def from_path(cls, path: Path) -> Npz:
        """The source that reads `path`."""
        return cls(path)

    def identity(self) -> dict[str, Any]:
        """The path, size and time of change."""
        return {"npz": str(self.path.resolve()), "state": list(State.of(self.path))}

    def open(self) -> Encoded:
        """The images, training ones first."""
        names, arrays = self._arrays()
        keys = next((keys for keys in KEYS if keys[0] in arrays and keys[1] in arrays), None)
        if keys is None:
            raise InputError(f"{self.path}: {EXPECTED}, found {', '.join(sorted(names)) or 'nothing'}.")
        if (keys[2] in arrays) != (keys[3] in arrays):
            raise InputError(f"{self.path}: {EXPECTED}, found only one of {keys[2]} and {keys[3]}.")
        parts = [(arrays[image], arrays[label]) for image, label in (keys[:2], keys[2:]) if image in arrays]
        classes = arrays.get("class_names")
        return from_arrays(parts, str(self.path), None if classes is None else tuple(map(str, classes.ravel())))

    def _arrays(self) -> tuple[list[str], dict[str, np.ndarray]]:
        """All arrays' names, and the arrays that are of use."""
        wanted = {key for keys in KEYS for key in keys} | {"class_names"}
        try:
            with zipfile.ZipFile(self.path) as archive:
                unpacked = sum(member.file_size for member in archive.infolist())
            if unpacked > machine_memory():
                raise InputError(f"{self.path} unpacks to {unpacked:,} bytes, more than this machine's memory.")
            with np.load(self.path, allow_pickle=False) as archive:
                return archive.files, {name: archive[name] for name in archive.files if name in wanted}
        except (OSError, ValueError, EOFError, MemoryError, zlib.error, zipfile.BadZipFile, RuntimeError) as error:
            raise InputError(
                f"{self.path}: the arrays are damaged or can't be read ({error}). Save them again."
            ) from error


def from_arrays(
    parts: list[tuple[np.ndarray, np.ndarray]], where: str, class_names: tuple[str, ...] | None = None
) -> Encoded:
    """Arrays as an opened source.

    Args:
        parts: images and labels of the training images and, where there are any, of the test images.
        where: what error messages call the arrays' file.
        class_names: what labels 0, 1 ... are called; by default the classes are the labels that occur.

    Raises:
        InputError: another dtype or shape, numbers of images and labels that differ, labels out of range.
    """
    checked = [_check(*part, f"{where}: the {name}") for name, part in zip(("training", "test"), parts, strict=False)]
    occurring = np.unique(np.concatenate([labels for _, labels in checked]))
    if class_names is None:
        if len(occurring) and occurring[0] < 0:
            raise InputError(f"{where}: labels must be 0 or more, received {occurring[0]}.")
        class_names = tuple(str(label) for label in occurring)
        checked = [(images, np.searchsorted(occurring, labels)) for images, labels in checked]
    elif len(occurring) and not 0 <= occurring[0] <= occurring[-1] < len(class_names):
        raise InputError(
            f"{where}: class_names has {len(class_names)} names, so labels must be 0 to {len(class_names) - 1}; "
            f"received {occurring[0]} to {occurring[-1]}."
        )

    def encoded() -> Iterator[EncodedImage]:
        row = 0
        for part, (images, labels) in zip(("training", "test"), checked, strict=False):
            for number, (image, label) in enumerate(zip(images, labels, strict=True)):
                yield EncodedImage(row, f"{where}: {part} image {number}", int(label), image)
                row += 1

    counts = [len(labels) for _, labels in checked]
    return Encoded(counts[0], sum(counts[1:]), class_names, encoded())


def _check(images: np.ndarray, labels: np.ndarray, what: str) -> tuple[np.ndarray, np.ndarray]:
    """Images as uint8 [N, H, W, C] and labels as [N]."""
    if images.dtype != np.uint8:
        raise InputError(f"{what} images must be uint8, 0 to 255; received {images.dtype}. Convert them.")
    if not len(images):
        raise InputError(f"{what} images are none: an array of shape {list(images.shape)}.")
    if images.ndim == 3:
        images = images[..., None]
    if images.ndim != 4 or images.shape[3] not in (1, 3, 4) or 0 in images.shape[1:]:
        raise InputError(f"{what} images must be [N, H, W] or [N, H, W, 1, 3 or 4]; received {list(images.shape)}.")
    if not np.issubdtype(labels.dtype, np.integer):
        raise InputError(f"{what} labels must be integers, one an image; received {labels.dtype}.")
    if labels.shape not in ((len(images),), (len(images), 1)):
        raise InputError(
            f"{what} labels must be one an image, [{len(images)}]; received {list(labels.shape)} for "
            f"{len(images)} images."
        )
    return images, labels.ravel()
