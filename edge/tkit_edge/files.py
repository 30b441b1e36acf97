"""Files that are read with a clear message, and written whole or not at all."""

from __future__ import annotations

import io
import os
import tempfile
import zipfile
import zlib
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from tkit_edge.errors import InputError


def read_bytes(path: Path) -> bytes:
    """The file's bytes; InputError where it can't be read."""
    try:
        return path.read_bytes()
    except OSError as error:
        raise InputError(f"Cannot read {path}: {error.strerror}.") from error


def write_bytes(path: Path, data: bytes) -> None:
    """`write_atomically`; InputError where it can't be written."""
    try:
        write_atomically(path, data)
    except OSError as error:
        raise InputError(f"Cannot write {path}: {error.strerror}.") from error


def write_atomically(path: Path, data: bytes) -> None:
    """Writes `data` to `path`, whose folder is made where it isn't there: a reader sees the old file or the new one."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.chmod(temporary, 0o644)  # mkstemp's files are private
        os.replace(temporary, path)
    except BaseException:
        os.unlink(temporary)
        raise
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)  # so that the new name outlives a power cut too
    finally:
        os.close(folder)


def npz_bytes(arrays: Mapping[str, np.ndarray]) -> bytes:
    """The arrays as an .npz file, the same bytes for the same arrays (np.savez puts the time into it)."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, array in arrays.items():
            part = io.BytesIO()
            np.save(part, array, allow_pickle=False)
            member = zipfile.ZipInfo(f"{name}.npy", date_time=(1980, 1, 1, 0, 0, 0))
            member.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(member, part.getvalue())
    return buffer.getvalue()


def read_npz(path: Path, shapes: Mapping[str, tuple[type, int]], limit: int | None = None) -> dict[str, np.ndarray]:
    """Arrays of an .npz file, without pickles.

    Args:
        path: the file.
        shapes: for each array wanted, its dtype and rank.
        limit: the bytes that all of it may take unpacked, where a stranger's file is read.

    Raises:
        InputError: no .npz file, or an array is missing or of another type or rank.
    """
    try:
        if limit is not None:
            with zipfile.ZipFile(path) as members:
                unpacked = sum(member.file_size for member in members.infolist())
            if unpacked > limit:
                raise InputError(f"{path} unpacks to {unpacked:,} bytes, expected at most {limit:,}.")
        with np.load(path, allow_pickle=False) as archive:
            arrays = {name: archive[name] for name in shapes if name in archive.files}
    except OSError as error:
        raise InputError(f"Cannot read {path}: {error.strerror or error}.") from error
    except (
        ValueError,
        EOFError,
        MemoryError,
        AttributeError,
        TypeError,
        zlib.error,
        zipfile.BadZipFile,
    ) as error:
        # np.load gives a bare array for an .npy file, which is no context manager and has no names.
        raise InputError(f"{path} is no whole .npz file: {error}") from error
    for name, (dtype, rank) in shapes.items():
        expected = f"expected an array {name!r} of {np.dtype(dtype)} with {rank} dimensions"
        if name not in arrays:
            raise InputError(f"{path}: {expected}, found none.")
        if arrays[name].dtype != dtype or arrays[name].ndim != rank:
            raise InputError(f"{path}: {expected}, received {arrays[name].dtype} {arrays[name].shape}.")
    return arrays
