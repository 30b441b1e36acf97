"""A sign of life on a terminal until something else is written there: importing TensorFlow takes seconds."""

from __future__ import annotations

import itertools
import os
import sys
import threading
import time

_SECONDS = 0.1  # between frames
_CLEAR = b"\r\x1b[K"


class _Spinner:
    def __init__(self, text: str) -> None:
        self._text = text
        self._frames = "⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏" if "utf" in (sys.stderr.encoding or "").lower() else "|/-\\"
        self._terminal = os.dup(2)  # standard error may be redirected while it turns
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._turn, daemon=True)
        self._thread.start()

    def _turn(self) -> None:
        began = time.monotonic()
        for frame in itertools.cycle(self._frames):
            os.write(self._terminal, f"\r{frame} {self._text} {time.monotonic() - began:.0f} s".encode())
            if self._ended.wait(_SECONDS):
                os.write(self._terminal, _CLEAR)
                return

    def end(self) -> None:
        self._ended.set()
        self._thread.join()
        os.close(self._terminal)


_turning: _Spinner | None = None


def spin(text: str) -> None:
    """Show `text` and the seconds since now, on standard error, until `rest`. The caller knows that it's a terminal."""
    global _turning
    if _turning is None:
        _turning = _Spinner(text)


def rest() -> None:
    """Clear what `spin` shows, if anything: before whatever else is written to the terminal."""
    global _turning
    if _turning is not None:
        turning, _turning = _turning, None
        turning.end()
