"""Progress in a Jupyter notebook: one line of a cell's output, replaced as work goes on.

A saved notebook then has the last line alone; carriage returns would leave all of them in it.
"""

from __future__ import annotations

import math
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

_SECONDS = 0.2
"""Between updates, which travel to the browser and through nbclient."""


class _Line:
    def __init__(self) -> None:
        self._handle: Any = None
        self._waiting: str | None = None
        self._shown_at = -math.inf

    def show(self, text: str) -> None:
        self._waiting = text
        if time.monotonic() - self._shown_at >= _SECONDS:
            self.flush()

    def flush(self) -> None:
        from IPython.display import display

        if self._waiting is None:
            return
        content, self._waiting = {"text/plain": self._waiting}, None
        if self._handle is None:
            self._handle = display(content, raw=True, display_id=True)
        else:
            self._handle.update(content, raw=True)
        self._shown_at = time.monotonic()


_line: _Line | None = None


def running() -> bool:
    """Whether this process is a Jupyter kernel, which has imported what tells so."""
    kernel = sys.modules.get("ipykernel.zmqshell")
    return kernel is not None and kernel.ZMQInteractiveShell.initialized()


@contextmanager
def one_line() -> Iterator[None]:
    """Whatever `show` is given inside is one and the same line, whose last text stays."""
    global _line
    if _line is not None or not running():
        yield
        return
    _line = _Line()
    try:
        yield
    finally:
        line, _line = _line, None
        line.flush()


def show(text: str) -> None:
    """Replaces the line of `one_line`; outside of it, prints."""
    if _line is None:
        print(text)
    else:
        _line.show(text)
