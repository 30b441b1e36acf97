"""What a stage made of a file that is another one now: every reader refuses it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from tkit import files

DERIVED = ("export", "bench", "evaluate", "why-int8")
"""The stages whose outputs are true of the very files that they read, and of no others."""


def outdated(folder: Path, stages: Mapping[str, Any], key: str) -> Iterator[Path]:
    """The files that the finished stage `key` ("float/export") read and that are missing or others now.

    Of what was made of exported files also those that the export was made of.

    Args:
        folder: the run's.
        stages: the manifest's entries.
        key: the stage's.
    """
    variant, _, stage = key.rpartition("/")
    if stage not in DERIVED:
        return
    read = f"{variant}/export"
    for name, digest in stages[key]["inputs"].items():
        path = folder / name
        if not path.is_file() or files.sha256(path) != digest:
            yield path
    if key != read and read in stages and any(name.startswith(f"{read}/") for name in stages[key]["inputs"]):
        yield from outdated(folder, stages, read)


def counts(folder: Path, stages: Mapping[str, Any], key: str) -> bool:
    """Whether the stage `key` is finished, and what it read is still there."""
    return key in stages and not any(outdated(folder, stages, key))
