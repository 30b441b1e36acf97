"""Files that are read with a clear message, and written whole or not at all."""

from __future__ import annotations

import errno
import io
import math
import os
import stat
import tempfile
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import IO

import numpy as np

from tkit_edge.errors import InputError

MAX_FILE_BYTES = 2 << 30
"""Of a file that is read whole: what a FlatBuffer, and so a .tflite file, can have."""
_CHUNK = 2**20  # bytes


def read_bytes(path: Path, limit: int = MAX_FILE_BYTES) -> bytes:
    """The file's bytes; InputError where it can't be read, is no regular file, or has more than `limit`."""
    try:
        found = path.stat()
        if stat.S_ISDIR(found.st_mode):
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
        if not stat.S_ISREG(found.st_mode):  # a device or a pipe might never end
            raise InputError(f"{path} is not a regular file.")
        if found.st_size > limit:
            raise InputError(f"{path} has {found.st_size:,} bytes, expected at most {limit:,}.")
        return path.read_bytes()
    except OSError as error:
        raise InputError(f"Cannot read {path}: {error.strerror}.") from error


def sha256(path: Path) -> str:
    """The hex digest of a file's bytes, which are never in memory at once; InputError where it can't be read."""
    import hashlib  # OpenSSL: 3.5 MiB, for this alone

    digest = hashlib.sha256()
    try:
        with open(path, "rb") as file:
            while chunk := file.read(_CHUNK):
                digest.update(chunk)
    except OSError as error:
        raise InputError(f"Cannot read {path}: {error.strerror}.") from error
    return digest.hexdigest()


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


def npz_bytes(arrays: Mapping[str, np.ndarray], *, pack: bool = True) -> bytes:
    """The arrays as an .npz file, the same bytes for the same arrays (np.savez puts the time into it)."""
    buffer, method = io.BytesIO(), zipfile.ZIP_DEFLATED if pack else zipfile.ZIP_STORED
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, array in arrays.items():
            part = io.BytesIO()
            np.save(part, array, allow_pickle=False)
            member = zipfile.ZipInfo(f"{name}.npy", date_time=(1980, 1, 1, 0, 0, 0))
            member.compress_type = method
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
    arrays = read_arrays(path, str(path), limit, wanted=tuple(shapes))
    for name, (dtype, rank) in shapes.items():
        expected = f"expected an array {name!r} of {np.dtype(dtype)} with {rank} dimensions"
        if name not in arrays:
            raise InputError(f"{path}: {expected}, found none.")
        if arrays[name].dtype != dtype or arrays[name].ndim != rank:
            raise InputError(f"{path}: {expected}, received {arrays[name].dtype} {arrays[name].shape}.")
    return arrays


def read_arrays(
    file: Path | IO[bytes], name: str, limit: int | None, wanted: tuple[str, ...] | None = None
) -> dict[str, np.ndarray]:
    """The arrays of an .npz file by name, without pickles; none is made before its size was found to be true.

    Args:
        file: its path, or the file opened.
        name: what error messages call it.
        limit: the bytes that all of it may take unpacked; None where its author is trusted.
        wanted: the arrays to read; all by default.

    Raises:
        InputError: no whole .npz file, one that unpacks to more than `limit`, or one that holds anything but arrays of
            plain numbers.
    """
    try:
        with zipfile.ZipFile(file) as archive:
            members = archive.infolist()
            unpacked = sum(member.file_size for member in members)
            if limit is not None and unpacked > limit:
                raise InputError(f"{name} unpacks to {unpacked:,} bytes, expected at most {limit:,}.")
            for member in members:
                if wanted is None or member.filename in [f"{key}.npy" for key in wanted]:
                    _check_array(archive, member)
        if not isinstance(file, Path):
            file.seek(0)
        with np.load(file, allow_pickle=False) as arrays:
            return {key: arrays[key] for key in (arrays.files if wanted is None else wanted) if key in arrays.files}
    except InputError:
        raise
    except OSError as error:
        raise InputError(f"Cannot read {name}: {error.strerror or error}.") from error
    except Exception as error:  # zipfile, its decompressors, tokenize and numpy have an exception each for damage
        raise InputError(f"{name} is no whole .npz file: {error or type(error).__name__}") from error


def _check_array(archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> None:
    """Raises ValueError where an array's header isn't that of plain numbers which take the very bytes that follow."""
    if member.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        raise ValueError(f"{member.filename!r} is packed in a way that .npz files aren't")
    with archive.open(member) as file:
        readers = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}
        version = np.lib.format.read_magic(file)
        if version not in readers:
            raise ValueError(f"{member.filename!r} has a header of version {version}")
        shape, _, dtype = readers[version](file)
        expected = file.tell() + math.prod(shape) * dtype.itemsize
    if dtype.hasobject:
        raise ValueError(f"{member.filename!r} holds Python objects, not plain numbers")
    if min(shape, default=0) < 0 or expected != member.file_size:
        raise ValueError(f"{member.filename!r} has {member.file_size:,} bytes for {dtype} {list(shape)}")
