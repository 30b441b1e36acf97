"""What a stage made of a file that is another one now: every reader refuses it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from tkit import files

if TYPE_CHECKING:
    from tkit.run import Run

DERIVED = ("export", "bench", "evaluate", "why-int8")
"""The stages whose outputs are true of the very files that they read, and of no others."""


def outdated(run: Run, key: str) -> Iterator[Path]:
    """The files that the finished stage `key` ("float/export") read and that are missing or others now.

    Of what was made of exported files also those that the export was made of.
    """
    variant, _, stage = key.rpartition("/")
    if stage not in DERIVED:
        return
    stages, read = run.manifest["stages"], f"{variant}/export"
    for name, digest in stages[key]["inputs"].items():
        path = run.folder / name
        if not path.is_file() or files.sha256(path) != digest:
            yield path
    if key != read and read in stages and any(name.startswith(f"{read}/") for name in stages[key]["inputs"]):
        yield from outdated(run, read)


def counts(run: Run, key: str) -> bool:
    """Whether the stage `key` is finished, and what it read is still there."""
    return key in run.manifest["stages"] and not any(outdated(run, key))
