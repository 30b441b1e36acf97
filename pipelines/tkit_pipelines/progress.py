"""A progress bar on standard error, in a notebook a line, for work that takes long; quick work shows nothing."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol

from tkit_pipelines import notebook

PATIENCE = 2.0  # seconds of work before the bar appears


class Advance(Protocol):
    """Called with the number of items just done."""

    def __call__(self, count: int) -> None:
        """Count `count` more items as done."""


@contextmanager
def progress(description: str, total: int | None) -> Iterator[Advance]:
    """A bar with rate and remaining time, shown once the work has lasted `PATIENCE` seconds; `total` None: not known.

    Example:
        >>> with progress("decoding", 1000) as advance:
        ...     advance(64)
    """
    if notebook.running():
        with notebook.one_line():
            yield _counting(description, total)
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    from tkit_pipelines.spinner import rest

    columns = TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn()
    bar = Progress(*columns, console=Console(stderr=True))
    task = bar.add_task(description, total=total)
    start = time.monotonic()

    def advance(count: int) -> None:
        bar.advance(task, count)
        if not bar.live.is_started and time.monotonic() - start > PATIENCE:
            rest()
            bar.start()

    try:
        yield advance
    finally:
        if bar.live.is_started:
            bar.stop()


def _counting(description: str, total: int | None) -> Advance:
    """Counts in a notebook's line."""
    start, done, of = time.monotonic(), 0, "" if total is None else f" of {total:,}"

    def advance(count: int) -> None:
        nonlocal done
        done += count
        if time.monotonic() - start > PATIENCE:
            notebook.show(f"{description} {done:,}{of}")

    return advance
