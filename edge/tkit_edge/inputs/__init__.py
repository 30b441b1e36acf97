"""What a model takes, one file per kind: how a device finds, reads and stores its inputs.

A kind is named after its file and holds one subclass of `Input`. The same code makes the training data.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

from tkit_edge.fields import Fields
from tkit_edge.kinds import kind_of
from tkit_edge.tensors import Arrays, TensorSpec


class Input(ABC):
    """A kind of input, with what a model's own is like."""

    kind: ClassVar[str]
    example: ClassVar[str] = "example"
    """What one input is called: "image"."""
    range: ClassVar[tuple[float, float] | None] = None
    """Of all values, where it is known beforehand."""
    originals: ClassVar[bool] = False
    """Whether a golden sample's file has to be the original: an example doesn't tell what it was read from."""

    @property
    @abstractmethod
    def tensors(self) -> tuple[TensorSpec, ...]:
        """What a model takes of one example."""

    @property
    def sizes(self) -> Mapping[str, int]:
        """How many different values a tensor of ids has, by its name: each is from 0 on, and less."""
        return {}

    @abstractmethod
    def items(self, arguments: Sequence[str]) -> Iterator[Any]:
        """The inputs that a person's arguments name, such as files, and those in folders; each is printable."""

    @abstractmethod
    def read(self, item: Any) -> Arrays:
        """One example, without a batch.

        Args:
            item: a file's path or bytes, or a value that a program has already.

        Raises:
            InputError: it can't be read, naming it.
        """

    @abstractmethod
    def encoded(self, example: Arrays) -> bytes:
        """A golden sample as a file's bytes, from which `read` gives the very example."""

    @abstractmethod
    def suffix(self, data: bytes) -> str:
        """What the file of an encoded input is called: ".png", or "" where nothing tells."""

    @abstractmethod
    def difference(self, expected: Arrays, read: Arrays, suffix: str) -> tuple[float, bool]:
        """How far a golden sample's file reads apart from what was stored, and whether that is too far."""

    def apart(self, difference: float) -> str:
        """A `difference` for people."""
        return f"{difference:g}"

    def shown(self, item: Any) -> str:
        """An item in a line, for people."""
        return str(item)

    @property
    def attached(self) -> Mapping[str, bytes]:
        """What is too large for JSON, by file name."""
        return {}

    @abstractmethod
    def as_json(self) -> dict[str, Any]:
        """What `from_json` reads, without the kind."""

    @classmethod
    @abstractmethod
    def from_json(cls, fields: Fields, folder: Path) -> Input:
        """The input that a bundle describes, whose `attached` files are in the folder."""


def files_in(arguments: Sequence[str | Path], suffixes: Collection[str]) -> Iterator[Path]:
    """The files that a person's arguments name, and those in folders (by their suffix, however deep), by name."""
    for path in map(Path, arguments):
        if not path.is_dir():
            yield path
            continue
        for file in sorted(path.rglob("*")):
            if file.suffix.lower() in suffixes and not file.name.startswith(".") and file.is_file():
                yield file


def read(fields: Fields, folder: Path) -> Input:
    """The input that the object of a bundle.json describes; its attached files are in the folder.

    Raises:
        InputError: a kind that this tkit-edge doesn't know, a wrong field, or a file that is missing or was changed.
    """
    made = kind_of(fields, __name__).from_json(fields, folder)
    assert isinstance(made, Input)
    return made
