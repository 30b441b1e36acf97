"""One writer a run: a lock that ends with the process that holds it, however that ends."""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tkit_edge.errors import InputError

NAME = ".lock"
PATIENCE = 10.0
"""Seconds that a finished stage waits for another process to write its own entry."""


@contextmanager
def locked(folder: Path, patience: float = 0.0) -> Iterator[None]:
    """Holds the lock of a run folder.

    Args:
        folder: the run's.
        patience: seconds to wait for another process that holds it.

    Raises:
        InputError: another process holds it, and has not let go of it by then.
    """
    until = time.monotonic() + patience
    with open(folder / NAME, "a+", encoding="ascii") as file:
        while True:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() < until:
                    time.sleep(0.05)
                    continue
            file.seek(0)
            holder = file.read(20).strip()
            raise InputError(
                f"{folder} is being written by another process{f' ({holder})' if holder else ''}. Wait for it, or "
                "end it."
            )
        file.truncate(0)
        file.write(f"{os.getpid()}")
        file.flush()
        yield
