"""Sources of texts that are one table: a file whose suffix tells what it is."""

from __future__ import annotations

from abc import abstractmethod
from pathlib import Path
from typing import ClassVar, Self

from tkit_pipelines.text_columns import choose
from tkit_pipelines.text_source import Records, TextsFromPath, Wanted
from tkit_pipelines.text_table import Table, records


class TableFile(TextsFromPath):
    """A table of texts in a file of the user's."""

    suffixes: ClassVar[tuple[str, ...]]
    """Of its files, in lower case."""

    def __init__(self, path: Path) -> None:
        self.path = path

    @classmethod
    def reads(cls, path: Path) -> bool:
        """Whether `path` is a file with one of the suffixes."""
        return path.is_file() and cls.named(path.name)

    @classmethod
    def named(cls, name: str) -> bool:
        """Whether a file's name has one of the suffixes."""
        return name.lower().endswith(cls.suffixes)

    @classmethod
    def from_path(cls, path: Path) -> Self:
        """The source that reads `path`."""
        return cls(path)

    @abstractmethod
    def table(self) -> Table:
        """The rows of the file.

        Raises:
            InputError: it can't be read.
        """

    def read(self, wanted: Wanted) -> Records:
        """All texts, for training where no column of splits says otherwise; see `TextSource.read`."""
        return records(*choose(self.table(), wanted), self.path.name, "train", wanted.labels)
