"""Stage outputs made from a file that has changed since: every reader refuses them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from tkit import files

DERIVED = ("export", "bench", "evaluate", "why-int8")
"""The stages whose outputs are valid only for exactly the files that they read."""


def outdated(folder: Path, stages: Mapping[str, Any], key: str) -> Iterator[Path]:
    """The files that the finished stage `key` ("float/export") read and that are now missing or changed.

    For results made from exported files, also the files that the export was made from.

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
    """Whether the stage `key` is finished, and the files that it read are unchanged."""
    return key in stages and not any(outdated(folder, stages, key))
