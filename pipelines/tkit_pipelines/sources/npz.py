"""Images as NumPy arrays in one .npz file: `x_train`, `y_train` and, where there are any, `x_test`, `y_test`.

Or `images`, `labels`, `test_images`, `test_labels`; a validation part is `x_val`, `y_val` (`validation_images`,
`validation_labels`). Images are uint8 [N, H, W] or [N, H, W, 1, 3 or 4 (RGBA)], labels integers [N] or [N, 1].
`class_names` (text, [classes]) may name what the labels count; without it the classes are the labels that occur. Where
labels aren't wanted, there need be none. Nothing pickled is read.
"""

from __future__ import annotations

import zipfile
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from tkit_edge.errors import InputError
from tkit_pipelines.encoded import Encoded, EncodedImage, EncodedSource
from tkit_pipelines.files import State
from tkit_pipelines.memory import machine_memory
from tkit_pipelines.source import Loaded, PathSource, Shape

KEYS = (
    ("x_train", "y_train", "x_val", "y_val", "x_test", "y_test"),
    ("images", "labels", "validation_images", "validation_labels", "test_images", "test_labels"),
)
"""Images and labels of the training, validation and test part."""
PAIRS = [pair for keys in KEYS for pair in zip(keys[::2], keys[1::2], strict=True)]
PARTS = ("training", "validation", "test")
EXPECTED = "expected x_train and y_train, and x_test and y_test if there are any (or images, labels, test_images, ...)"


class Npz(EncodedSource, PathSource):
    """Arrays in the user's own .npz file."""

    usage = "FILE.npz"

    def __init__(self, path: Path, labelled: bool = True) -> None:
        self.path, self.labelled = path, labelled

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

    def unlabelled(self) -> Npz:
        """The same images, for which the file need have no labels."""
        return Npz(self.path, labelled=False)

    def identity(self) -> dict[str, Any]:
        """The path, size and time of change."""
        found: dict[str, Any] = {"npz": str(self.path.resolve()), "state": list(State.of(self.path))}
        # The cache of files without these is older than they are.
        found |= {"validation": self._validation} if self._validation else {}
        return found if self.labelled else {**found, "labelled": False}

    def load(self, shape: Shape, skip_bad: bool = False) -> Loaded:
        """As `EncodedSource.load`; the validation part comes last of the training images."""
        return replace(super().load(shape, skip_bad), validation=self._validation)

    def open(self) -> Encoded:
        """The images: training, validation, test."""
        names, arrays = self._arrays()
        if not self.labelled:
            arrays |= {y: np.zeros(len(arrays[x]), int) for x, y in PAIRS if x in arrays and arrays[x].ndim}
        keys = next((keys for keys in KEYS if keys[0] in arrays and keys[1] in arrays), None)
        if keys is None:
            raise InputError(f"{self.path}: {EXPECTED}, found {', '.join(sorted(names)) or 'nothing'}.")
        pairs = list(zip(keys[::2], keys[1::2], strict=True))
        for image, label in pairs:
            if (image in arrays) != (label in arrays):
                raise InputError(f"{self.path}: {EXPECTED}, found only one of {image} and {label}.")
        parts = {
            name: (arrays[image], arrays[label])
            for name, (image, label) in zip(PARTS, pairs, strict=True)
            if image in arrays
        }
        classes = arrays.get("class_names") if self.labelled else None
        return from_arrays(parts, str(self.path), None if classes is None else tuple(map(str, classes.ravel())))

    @cached_property
    def _validation(self) -> int:
        """How many images the validation part has, by the headers alone."""
        try:
            with zipfile.ZipFile(self.path) as archive:
                names = {name.removesuffix(".npy") for name in archive.namelist()}
                keys = next((keys for keys in KEYS if keys[0] in names), KEYS[0])
                return _rows(archive, f"{keys[2]}.npy") if keys[2] in names else 0
        except (OSError, ValueError, EOFError, zlib.error, zipfile.BadZipFile, RuntimeError):
            return 0  # which reading the images will explain

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


def _rows(archive: zipfile.ZipFile, name: str) -> int:
    """The first size of an array of an .npz file."""
    with archive.open(name) as file:
        np.lib.format.read_magic(file)
        shape, _, _ = np.lib.format.read_array_header_1_0(file)
        return int(shape[0]) if shape else 0


def from_arrays(
    parts: Mapping[str, tuple[np.ndarray, np.ndarray]], where: str, class_names: tuple[str, ...] | None = None
) -> Encoded:
    """Arrays as an opened source.

    Args:
        parts: images and labels by part, of `PARTS`, in their order.
        where: what error messages call the arrays' file.
        class_names: what labels 0, 1 ... are called; by default the classes are the labels that occur.

    Raises:
        InputError: another dtype or shape, numbers of images and labels that differ, labels out of range.
    """
    checked = {name: _check(*part, f"{where}: the {name}") for name, part in parts.items()}
    occurring = np.unique(np.concatenate([labels for _, labels in checked.values()]))
    if class_names is None:
        if len(occurring) and occurring[0] < 0:
            raise InputError(f"{where}: labels must be 0 or more, received {occurring[0]}.")
        class_names = tuple(str(label) for label in occurring)
        checked = {name: (images, np.searchsorted(occurring, labels)) for name, (images, labels) in checked.items()}
    elif len(occurring) and not 0 <= occurring[0] <= occurring[-1] < len(class_names):
        raise InputError(
            f"{where}: class_names has {len(class_names)} names, so labels must be 0 to {len(class_names) - 1}; "
            f"received {occurring[0]} to {occurring[-1]}."
        )

    def encoded() -> Iterator[EncodedImage]:
        row = 0
        for part, (images, labels) in checked.items():
            for number, (image, label) in enumerate(zip(images, labels, strict=True)):
                yield EncodedImage(row, f"{where}: {part} image {number}", int(label), image)
                row += 1

    counts = {name: len(labels) for name, (_, labels) in checked.items()}
    test = counts.pop("test", 0)
    return Encoded(sum(counts.values()), test, class_names, encoded())


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
