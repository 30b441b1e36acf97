"""What a source of texts is: it gives texts, what each is labelled, and which split it belongs to.

A source is one file in `text_sources/`: `NamedTexts` are asked for by their file's name (`sentences`,
`tfds:imdb_reviews`), `TextsFromPath` open a path. `tkit_pipelines.corpus` makes a data set of what one gives.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from tkit_edge.errors import InputError
from tkit_pipelines.dataset import Bad
from tkit_pipelines.source import FromPath, Named
from tkit_pipelines.split_names import Split

MAX_CHARACTERS = 1_000_000
"""Of a text, and of a line of a file; what is longer isn't read into memory."""


class Wanted(NamedTuple):
    """What of a source is wanted."""

    text: str | None = None
    """The column of the texts; None: it is to be found."""
    label: str | None = None
    """The column of the labels; None: it is to be found."""
    labels: bool = True
    """Whether labels are wanted at all."""
    skip_bad: bool = False
    """Whether files that aren't text are skipped."""


class Places(Sequence[str]):
    """Where texts came from, for people; a place is written when it is asked for, since there may be a million."""

    def __init__(self, names: Sequence[str], which: np.ndarray, numbers: np.ndarray | None = None) -> None:
        """`names[which[i]]` and, where there are `numbers`, the i-th of them: ints [n] both."""
        self._names, self._which, self._numbers = names, which, numbers

    @classmethod
    def numbered(cls, name: str, numbers: Sequence[int]) -> Places:
        """Places that are called `name` and a number: "train.tsv line 12"."""
        return cls((name,), np.zeros(len(numbers), np.int32), np.asarray(numbers, np.int64))

    def __len__(self) -> int:
        return len(self._which)

    def __getitem__(self, index: Any) -> Any:
        if isinstance(index, slice):
            return self.take(np.arange(len(self))[index])
        name = self._names[self._which[index]]
        return name if self._numbers is None else f"{name} {self._numbers[index]}"

    def take(self, indices: np.ndarray) -> Places:
        """The places at `indices`, int [m]."""
        return Places(self._names, self._which[indices], None if self._numbers is None else self._numbers[indices])

    def __add__(self, other: Places) -> Places:
        assert self._numbers is not None and other._numbers is not None
        which = np.concatenate([self._which, other._which + len(self._names)])
        return Places((*self._names, *other._names), which, np.concatenate([self._numbers, other._numbers]))


@dataclass(frozen=True)
class Records:
    """What a source holds, in its own order."""

    texts: list[str]
    labels: list[str] | None
    """The name of each text's label, "" where it has none; None where labels aren't wanted."""
    splits: list[Split]
    places: Places
    class_names: tuple[str, ...] | None = None
    """The classes, where the source has an order of them; else theirs is that of `tkit_pipelines.class_names`."""
    skipped: tuple[Bad, ...] = ()
    notes: tuple[str, ...] = ()
    problems: tuple[str, ...] = ()
    """Why nothing can be trained on this, each as an error's whole message."""

    def __add__(self, other: Records) -> Records:
        labels = None if self.labels is None or other.labels is None else self.labels + other.labels
        return Records(self.texts + other.texts, labels, self.splits + other.splits, self.places + other.places)


class TextSource(ABC):
    """Where texts come from."""

    @abstractmethod
    def read(self, wanted: Wanted) -> Records:
        """All texts, the same ones in the same order each time.

        Raises:
            InputError: what is there can't be read as texts.
        """


class NamedTexts(Named, TextSource):
    """A source of texts that is asked for by name."""


class TextsFromPath(FromPath, TextSource):
    """A source of texts that reads a file or folder of the user's."""


def images_given(source: str) -> InputError:
    """The error for images where texts are expected."""
    return InputError(
        f"data {source!r} holds images, and texts are expected. Train an image recipe on it: "
        f"tkit run cifar10_cnn --data {source}"
    )
