"""One writer a run: a lock that ends with the process that holds it, however that ends."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tkit_edge.errors import InputError

NAME = ".lock"


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Holds the lock of a run folder.

    Raises:
        InputError: another process holds it.
    """
    with open(folder / NAME, "a+", encoding="ascii") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            file.seek(0)
            holder = file.read(20).strip()
            raise InputError(
                f"{folder} is being written by another process{f' ({holder})' if holder else ''}. Wait for it, or "
                "end it."
            ) from None
        file.truncate(0)
        file.write(f"{os.getpid()}")
        file.flush()
        yield
