"""What tkit says while it works: to standard error, quiet, normal or verbose; standard output is for results."""

from __future__ import annotations

import sys
from functools import cache
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from rich.console import Console

Level = Literal["quiet", "normal", "verbose"]
_level: Level = "normal"


def set_level(level: Level) -> None:
    """How much is said: `quiet` only errors, `normal` progress and results, `verbose` TensorFlow's own lines too."""
    global _level
    _level = level


def level() -> Level:
    """The level in force."""
    return _level


@cache
def console() -> Console:
    """The rich console on standard error."""
    from rich.console import Console

    return Console(stderr=True, highlight=False, soft_wrap=True)


def live() -> bool:
    """Whether a bar that redraws itself reads well here: a terminal, not a log file, a pipe or a notebook."""
    return _level != "quiet" and sys.stderr.isatty() and not console().is_jupyter


def say(message: str) -> None:
    """One line of progress, unless quiet."""
    if _level != "quiet":
        console().print(message, markup=False)


def detail(message: str) -> None:
    """One line that only `-v` shows."""
    if _level == "verbose":
        console().print(message, markup=False, style="dim")
