"""Reading the user's files: one by one, with errors that can be counted, and only while they are what they were."""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import NamedTuple

from tkit_edge.errors import InputError

MAX_IMAGE_BYTES = 512 << 20


class State(NamedTuple):
    """What shows that a file has changed."""

    size: int
    mtime_ns: int

    @classmethod
    def of(cls, path: Path) -> State:
        """The state of the file at `path`; OSError where there is none."""
        found = path.stat()
        return cls(found.st_size, found.st_mtime_ns)


def read(path: Path) -> bytes | InputError:
    """The file's bytes, or the error that explains why it can't be read."""
    try:
        found = path.stat()
        if not stat.S_ISREG(found.st_mode):  # a table may name a device, which never ends
            return InputError(f"{path}: is no regular file.")
        if found.st_size > MAX_IMAGE_BYTES:
            return InputError(f"{path}: has {found.st_size:,} bytes; the limit is {MAX_IMAGE_BYTES:,}.")
        return path.read_bytes()
    except OSError as error:
        return InputError(f"{path}: cannot be read: {error.strerror}.")


def read_unchanged(path: Path, expected: State) -> bytes:
    """The bytes of a file that is still in its `expected` state.

    Raises:
        InputError: it has changed, or can't be read any more.
    """
    try:
        if State.of(path) == expected:
            return path.read_bytes()
    except OSError as error:
        raise InputError(f"{path}: cannot be read any more: {error.strerror}.") from error
    raise InputError(f"{path}: the file has changed since it was decoded. Run again.")


def listing(path: Path) -> tuple[dict[str, State], list[str]]:
    """The regular files below a folder (relative name -> state) and the folders; links are followed.

    Raises:
        InputError: a folder can't be read.
    """
    files: dict[str, State] = {}
    folders: list[str] = []
    seen = set()

    def refuse(error: OSError) -> None:
        raise InputError(f"{error.filename}: cannot be read: {error.strerror}.") from error

    for folder, inner, names in os.walk(path, followlinks=True, onerror=refuse):
        real = os.path.realpath(folder)
        if real in seen:  # a link back up the tree
            inner.clear()
            continue
        seen.add(real)
        relative = os.path.relpath(folder, path).replace(os.sep, "/")
        prefix = "" if relative == "." else f"{relative}/"
        folders += [prefix + name for name in inner]
        for name in names:
            try:
                found = os.stat(os.path.join(folder, name))
            except OSError:  # a link to nowhere: reading it reports that, as for any bad file
                files[prefix + name] = State(0, 0)
                continue
            if stat.S_ISREG(found.st_mode):
                files[prefix + name] = State(found.st_size, found.st_mtime_ns)
    return files, folders
