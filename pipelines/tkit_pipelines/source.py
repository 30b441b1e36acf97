"""What a data source is: it gives labelled training images, class names and, where the set has them, test images.

A source is one file in `sources/`. `NamedSource`s are asked for by their file's name (`digits`,
`tfds:cifar10`), `PathSource`s open a path. `tkit_pipelines.resolve` picks one for what the user typed.
Sources of texts (`text_source`) are asked for alike.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, NamedTuple

from tkit_pipelines.dataset import Bad, Examples


class Shape(NamedTuple):
    """The size that images are brought to, and the rule: one of `tkit_edge.images.RESIZES`."""

    height: int
    width: int
    channels: int
    resize: str = "crop"

    @property
    def array(self) -> tuple[int, int, int]:
        """The shape of an image's pixels."""
        return self[:3]


@dataclass(frozen=True)
class Loaded:
    """What a source holds; `test` is None where the set has no test examples of its own.

    `class_names` is empty where examples have no classes. The last `validation` of the training examples are the
    source's own validation part; 0: it has none.
    """

    train: Examples
    test: Examples | None
    class_names: tuple[str, ...]
    skipped: tuple[Bad, ...] = ()
    notes: tuple[str, ...] = ()
    validation: int = 0
    example: str = "image"
    """What an example is called."""


class Named(ABC):
    """What is asked for as `NAME` or `NAME:ARGUMENT`; NAME is its file's name."""

    usage: ClassVar[str]
    """What a user types, for messages."""

    @classmethod
    @abstractmethod
    def from_argument(cls, argument: str) -> Named:
        """The source for what follows the colon ("" where there is none)."""


class FromPath(ABC):
    """What reads a file or folder of the user's."""

    usage: ClassVar[str]
    """What a user types, for messages."""

    @classmethod
    @abstractmethod
    def reads(cls, path: Path) -> bool:
        """Whether the existing `path` is of this source's kind, judged by looking at it."""

    @classmethod
    @abstractmethod
    def from_path(cls, path: Path) -> FromPath:
        """The source that reads `path`."""


class Source(ABC):
    """Where images come from."""

    @abstractmethod
    def load(self, shape: Shape, skip_bad: bool = False) -> Loaded:
        """All images with their classes, brought to `shape`; the same ones in the same order each time.

        Args:
            shape: The size and channels wanted.
            skip_bad: Skip files that are not valid images, and report which, instead of raising InputError.
        """

    def unlabelled(self) -> Source:
        """The source for reading images whose labels nobody needs: where folders are classes, no folder is one."""
        return self


class NamedSource(Named, Source):
    """A source of images that is asked for by name."""


class PathSource(FromPath, Source):
    """A source of images that reads a file or folder of the user's."""
