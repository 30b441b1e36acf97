"""What tkit reports while it works: to standard error, quiet, normal or verbose; standard output is for results.

In a notebook all of it is in the cell's output, its progress as one line.
"""

from __future__ import annotations

import os
import re
import sys
from functools import cache
from typing import TYPE_CHECKING, Literal, TextIO

from tkit_edge.text import fitted, terminal_width
from tkit_pipelines import notebook, spinner

if TYPE_CHECKING:
    from rich.console import Console

Level = Literal["quiet", "normal", "verbose"]
_level: Level = "normal"

_GREEN, _YELLOW, _RED = 32, 33, 31
_COLOURS = (
    (re.compile(r"(?m)\bok$|^no problems.*$"), _GREEN),
    (re.compile(r"(?m)^(note|data|uneven|repeats|labels)(?=:? )"), _YELLOW),
    (re.compile(r"(?m)\bFAILED$|^(Error|problem)\b"), _RED),
)


def set_level(level: Level) -> None:
    """How much is printed: `quiet` only errors, `normal` progress and results, `verbose` TensorFlow's own lines too."""
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
    return _level != "quiet" and sys.stderr.isatty() and not notebook.running()


def busy(doing: str) -> None:
    """On a terminal, shows that tkit is at work until it prints something; with -v TensorFlow itself prints enough."""
    if _level == "normal" and sys.stderr.isatty():
        spinner.spin(doing)


def rest() -> None:
    """Ends what `busy` began, before anything is written to the terminal."""
    spinner.rest()


def width() -> int | None:
    """Columns of the terminal on standard error; None for a log file or a pipe, which get everything."""
    return terminal_width(sys.stderr)


def laid_out(text: str, stream: TextIO) -> str:
    """`text` as `stream` shows it: on a terminal within its width and with verdicts in colour, elsewhere as it is."""
    if not stream.isatty():
        return text
    text = fitted(text, terminal_width(stream))
    if os.environ.get("NO_COLOR") or os.environ.get("TERM") == "dumb":
        return text
    for pattern, colour in _COLOURS:
        text = pattern.sub(rf"\033[{colour}m\g<0>\033[0m", text)
    return text


def say(message: str) -> None:
    """One line about what is done, unless quiet."""
    if _level != "quiet":
        _write(laid_out(message, sys.stderr))


def progress(message: str) -> None:
    """The same of what a later line makes worthless: in a notebook, that one replaces it."""
    if _level != "quiet" and notebook.running():
        notebook.show(message)
    else:
        say(message)


def detail(message: str) -> None:
    """One line that only `-v` shows."""
    if _level == "verbose":
        _write(message, style="dim")


def _write(text: str, style: str | None = None) -> None:
    if notebook.running():  # where standard error is red, and rich writes HTML
        print(text)
        return
    from rich.text import Text

    rest()
    console().print(Text.from_ansi(text), style=style)
