"""Checkpoints of training: each is one file that holds all that the next step depends on, and is whole or not there.

    checkpoints/000004-00120.checkpoint        after 4 whole epochs and 120 steps of the next

The file begins with the SHA-256 of what follows, an .npz archive: the arrays, and one array of bytes with the rest as
JSON. It is written beside, synced and renamed; a file with a wrong digest is skipped with a warning.
"""

from __future__ import annotations

import hashlib
import io
import json
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from tkit import console, files
from tkit.training.config import MAX_THREADS
from tkit_edge.errors import InputError
from tkit_edge.fields import Fields
from tkit_edge.files import read_arrays
from tkit_edge.json_file import parse_json
from tkit_edge.text import counted

CHECKPOINTS = "checkpoints"
"""The folder of a run's."""
SUFFIX = ".checkpoint"
_DIGEST = hashlib.sha256().digest_size
_FACTS = "facts"


class Checkpoint(NamedTuple):
    """A moment of training."""

    arrays: dict[str, np.ndarray]
    """Every variable's value, by group and number."""
    facts: dict[str, Any]
    """What is no array, as JSON: `epoch` and `step` (what comes next), the history rows ..."""

    def done(self) -> str:
        """How far training was: "4 epochs and 120 steps"."""
        return f"{counted(self.facts['epoch'], 'epoch')} and {counted(self.facts['step'], 'step')}"

    def to_bytes(self) -> bytes:
        """The file's content."""
        buffer = io.BytesIO()
        facts = np.frombuffer(json.dumps(self.facts).encode(), np.uint8)
        np.savez(buffer, **{**self.arrays, _FACTS: facts})  # type: ignore[arg-type]  # numpy's stub takes them for flags
        data = buffer.getvalue()
        return hashlib.sha256(data).digest() + data

    @classmethod
    def from_bytes(cls, content: bytes) -> Checkpoint:
        """The checkpoint in a file's content; ValueError where the content isn't what was written."""
        digest, data = content[:_DIGEST], content[_DIGEST:]
        if hashlib.sha256(data).digest() != digest:
            raise ValueError("its checksum doesn't fit")
        try:
            arrays = read_arrays(io.BytesIO(data), "its archive", limit=len(data))
            if _FACTS not in arrays or any(array.dtype.kind not in "biuf" for array in arrays.values()):
                raise ValueError("its archive holds no facts, or an array without numbers")
            facts = parse_json(arrays.pop(_FACTS).tobytes(), _FACTS, finite=False)
            _check(Fields(facts, _FACTS))
        except InputError as error:
            raise ValueError(str(error).rstrip(".")) from error
        return cls(arrays, facts)


def _check(facts: Fields) -> None:
    """Raises InputError where a key that training goes on from is missing, or can't be."""
    epoch, kept = facts.count("epoch", 0), facts.count("kept_epoch", -1)
    facts.count("step", 0)
    facts.get("seconds", (int, float))
    facts.get("stopped", bool)
    facts.get("kept_loss", (int, float, type(None)))
    rows = facts.items("history")
    for row in rows:
        for key in row.value:
            row.get(key, (int, float))
    if len(rows) != epoch or kept >= epoch:
        raise InputError(f"{_FACTS}: expected {epoch} rows of history and an epoch kept of them, received {len(rows)}.")
    setup = facts.part("setup")
    setup.part("recipe")
    setup.part("versions")
    setup.count("threads", 1, MAX_THREADS)
    for key in ("data", "precision"):
        setup.get(key, str)
    setup.get("machine", (str, type(None)))


class Checkpoints:
    """The checkpoints of one run; the last `keep` stay.

    Args:
        folder: the run's `checkpoints` folder; it may not be there yet.
        keep: how many files are left when a new one is written.
    """

    def __init__(self, folder: Path, keep: int) -> None:
        self.folder, self.keep = folder, keep

    def paths(self) -> list[Path]:
        """The files, oldest first."""
        return sorted(self.folder.glob(f"*{SUFFIX}"))

    def write(self, checkpoint: Checkpoint) -> Path:
        """Adds a checkpoint, then removes the oldest ones."""
        epoch, step = checkpoint.facts["epoch"], checkpoint.facts["step"]
        path = self.folder / f"{epoch:06d}-{step:05d}{SUFFIX}"
        files.write_bytes(path, checkpoint.to_bytes())
        for old in self.paths()[: -self.keep]:
            old.unlink()
        return path

    def newest(self) -> Checkpoint | None:
        """The newest whole checkpoint; None where there is none. Warns about each damaged file."""
        for path in reversed(self.paths()):
            try:
                return self.read(path)
            except ValueError as error:
                console.say(f"{path} is damaged ({error}): the one before it is used.")
        return None

    @staticmethod
    def read(path: Path) -> Checkpoint:
        """The checkpoint in a file; ValueError where it isn't whole."""
        try:
            if not path.is_file():  # reading a pipe would never end
                raise ValueError("no plain file")
            return Checkpoint.from_bytes(path.read_bytes())
        except OSError as error:
            raise ValueError(error.strerror) from error
