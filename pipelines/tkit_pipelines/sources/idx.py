"""MNIST's own format: a folder with `train-images-idx3-ubyte`, `train-labels-idx1-ubyte`, `t10k-...`, gzipped or not.

Source: http://yann.lecun.com/exdb/mnist. Names may have another beginning, as EMNIST's and Fashion-MNIST's do: those
with `t10k` or `test` in them are the test images. The classes are the labels that occur.
"""

from __future__ import annotations

import gzip
import re
import struct
import zlib
from pathlib import Path
from typing import Any

import numpy as np

from tkit_edge.errors import InputError
from tkit_pipelines.encoded import Encoded, EncodedSource
from tkit_pipelines.files import State
from tkit_pipelines.memory import machine_memory
from tkit_pipelines.source import PathSource
from tkit_pipelines.sources.npz import from_arrays

_IMAGES = re.compile(r"(?P<prefix>.*)images(?P<between>[-.])idx3-ubyte(\.gz)?")
CHUNK = 16 << 20


class Idx(EncodedSource, PathSource):
    """IDX files in the user's own folder."""

    usage = "FOLDER of IDX files"

    def __init__(self, path: Path) -> None:
        self.path = path

    @classmethod
    def reads(cls, path: Path) -> bool:
        """Whether `path` is a folder with a file of images in this format."""
        try:
            return path.is_dir() and bool(_image_files(path))
        except OSError:  # a folder that may not be listed is no IDX folder; another source explains why
            return False

    @classmethod
    def from_path(cls, path: Path) -> Idx:
        """The source that reads `path`."""
        return cls(path)

    def identity(self) -> dict[str, Any]:
        """The path, and the sizes and times of change of its files."""
        files = sorted(path for path in self.path.iterdir() if path.is_file())
        return {"idx": str(self.path.resolve()), "files": [[path.name, *State.of(path)] for path in files]}

    def open(self) -> Encoded:
        """The images, training ones first."""
        files = _image_files(self.path)
        test = [path for path in files if re.search("t10k|test", path.name)]
        train = [path for path in files if path not in test]
        if len(train) != 1 or len(test) > 1:
            raise InputError(
                f"{self.path}: expected one file of training images and at most one of test images (t10k or test "
                f"in its name), found {', '.join(path.name for path in files)}. Keep one set a folder."
            )
        parts = {
            name: (_read(path, 3), _read(_labels(path), 1))
            for name, found in (("training", train), ("test", test))
            for path in found
        }
        return from_arrays(parts, str(self.path))


def _image_files(folder: Path) -> list[Path]:
    """The files of images in `folder`; where one is there packed and unpacked, the unpacked one."""
    found = {path.name: path for path in sorted(folder.iterdir()) if _IMAGES.fullmatch(path.name) and path.is_file()}
    return [path for name, path in found.items() if name.removesuffix(".gz") not in found or not name.endswith(".gz")]


def _labels(images: Path) -> Path:
    """The file of labels that belongs to a file of images."""
    match = _IMAGES.fullmatch(images.name)
    assert match is not None  # it was found by it
    name = f"{match['prefix']}labels{match['between']}idx1-ubyte"
    for path in (images.with_name(name), images.with_name(f"{name}.gz")):
        if path.is_file():
            return path
    raise InputError(f"{images}: expected its labels beside it, {name} or {name}.gz; neither is there.")


def _read(path: Path, dimensions: int) -> np.ndarray:
    """The bytes of an IDX file with so many dimensions, as its header shapes them."""
    try:
        with gzip.open(path) if path.suffix == ".gz" else path.open("rb") as stream:
            header = stream.read(4 * (dimensions + 1))
            if len(header) < 4 * (dimensions + 1) or header[:4] != bytes([0, 0, 8, dimensions]):
                raise InputError(f"{path} is no IDX file of unsigned bytes with {dimensions} dimensions.")
            shape = struct.unpack(f">{dimensions}I", header[4:])
            expected = int(np.prod(shape, dtype=np.float64))
            if expected > machine_memory():
                raise InputError(f"{path} announces {expected:,} bytes, more than this machine's memory.")
            data = bytearray()  # it grows with what is really there, whatever the header claims
            while len(data) <= expected and (part := stream.read(CHUNK)):
                data += part
    except (OSError, EOFError, zlib.error) as error:
        raise InputError(f"{path}: damaged or can't be read ({error}). Fetch it again.") from error
    if len(data) != expected:
        came = "more" if len(data) > expected else f"{len(data):,}"
        raise InputError(f"{path} announces {expected:,} bytes and holds {came}. Fetch it again.")
    return np.frombuffer(data, np.uint8).reshape(shape)
