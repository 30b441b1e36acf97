"""What was in memory, on disk: `<runs>/objects/<digest>/model.keras`, `data.npz` ..., found again by its contents.

A run's recipe names these files, so that later stages, in any process, read them like files of the user's own.
"""

from __future__ import annotations

import hashlib
import os
import tempfile
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np

from tkit.run_location import runs_folder

FOLDER = "objects"
_DIGITS = 16  # of a digest, which name a folder


def record(runs_dir: str | Path | None, digest: str, name: str, write: Callable[[Path], object]) -> Path:
    """The file `name` of the contents with this digest; `write` makes it where it isn't there yet.

    It is whole or not there. Any number of processes may record the same.
    """
    target = runs_folder(runs_dir).absolute() / FOLDER / digest[:_DIGITS] / name
    if target.is_file():
        return target
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".", dir=target.parent) as scratch:
        made = Path(scratch) / name
        write(made)
        with made.open("rb") as file:
            os.fsync(file.fileno())
        made.replace(target)
    return target


def digest_of(text: str, arrays: Mapping[str, np.ndarray]) -> str:
    """SHA-256 of a text and of arrays: their names, types, shapes and values."""
    found = hashlib.sha256(text.encode())
    for name, array in arrays.items():
        found.update(f"\0{name}\0{array.dtype.str}\0{array.shape}\0".encode())
        found.update(np.ascontiguousarray(array).reshape(-1).view(np.uint8).data)
    return found.hexdigest()


def write_npz(path: Path, arrays: Mapping[str, np.ndarray]) -> None:
    """An .npz file of arrays of any name, array by array."""
    with zipfile.ZipFile(path, "w") as archive:
        for name, array in arrays.items():
            with archive.open(zipfile.ZipInfo(f"{name}.npy"), "w", force_zip64=True) as file:
                np.lib.format.write_array(file, np.asanyarray(array), allow_pickle=False)
