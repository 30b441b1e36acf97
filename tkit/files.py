"""Files that are whole or not there: written beside, synced, renamed; and one message where they can't be written."""

from __future__ import annotations

import errno
import hashlib
import json
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tkit.finite import finite
from tkit_edge.errors import InputError
from tkit_edge.files import write_atomically as write_bytes

__all__ = ["new_folder", "sha256", "write_bytes", "write_json", "writing"]

# What a disk or its permissions refuse; every other OSError is a programming error and keeps its traceback.
_REFUSALS = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS, errno.EACCES, errno.EPERM)


@contextmanager
def writing() -> Iterator[None]:
    """Turns a full disk or a place that may not be written to, wherever inside it is met, into one InputError.

    Around every stage: its manifest entry comes last, so a stage that ends so left none.
    """
    try:
        yield
    except Exception as error:
        refusal = _refusal(error)
        if refusal is None:
            raise
        where = f" {error.filename}" if isinstance(error, OSError) and error.filename else ""
        raise InputError(
            f"Cannot write{where}: {os.strerror(refusal)}. Make room or choose another place (--runs-dir, TKIT_RUNS; "
            "TMPDIR for temporary files), then run the command again."
        ) from error


def _refusal(error: BaseException | None) -> int | None:
    """The errno of a refusal; TensorFlow's and HDF5's errors have it in their text only."""
    if isinstance(error, OSError) and error.errno in _REFUSALS:
        return error.errno
    if type(error).__module__.startswith(("tensorflow.", "h5py.")) or type(error) in (OSError, RuntimeError):
        return next((number for number in _REFUSALS if os.strerror(number) in str(error)), None)
    return None


@contextmanager
def new_folder(target: Path) -> Iterator[Path]:
    """A folder to fill beside `target`, whose place it takes at the end; after an error `target` is as it was."""
    beside = target.with_name(f".{target.name}.new")
    shutil.rmtree(beside, ignore_errors=True)  # a killed process may have left one
    try:
        yield beside
    except BaseException:
        shutil.rmtree(beside, ignore_errors=True)
        raise
    shutil.rmtree(target, ignore_errors=True)
    beside.rename(target)


def write_json(path: Path, value: Any) -> None:
    """Writes `value` as indented JSON, atomically; NaN and infinities, which JSON doesn't have, become null."""
    write_bytes(path, (json.dumps(finite(value), indent=2, allow_nan=False) + "\n").encode())


def sha256(path: Path) -> str:
    """The hex digest of a file's bytes."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
