"""A data set in its three parts, and what a person should know of it before training."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from tkit_edge.inputs import Input
from tkit_edge.text import counted
from tkit_pipelines.class_names import lookalikes
from tkit_pipelines.dataset import Bad, Examples
from tkit_pipelines.duplicates import COLUMNS, Duplicates, find

IMBALANCE = 3
"""A class this many times as large as another is worth a remark."""


@dataclass(frozen=True)
class Splits:
    """A data set in its three parts. Test examples measure once; nothing is chosen by looking at them."""

    train: Examples
    validation: Examples
    test: Examples
    class_names: tuple[str, ...]
    """What labels count; empty where the labels are no classes."""
    input: Input
    """What a model takes of an example."""
    name: str
    skipped: Sequence[Bad] = ()
    """Skipped files: strays, and with `data.skip_bad` damaged images."""
    notes: Sequence[str] = ()
    """How the source was read, where that could have been otherwise."""

    @cached_property
    def duplicates(self) -> tuple[Duplicates, ...]:
        """Examples that are in two of the parts; see `tkit_pipelines.duplicates.find`."""
        parts = {"train": self.train, "validation": self.validation, "test": self.test}
        # Equal rows of a table are usual.
        column = next((name for name in COLUMNS if name in self.train.columns), None)
        return find(parts, column) if column else ()

    def remarks(self) -> list[str]:
        """What a person should hear before training on this, a line each: skipped files, duplicates, imbalance."""
        lines = [*self.notes, *lookalikes(self.class_names)]
        strays = [bad.name for bad in self.skipped if bad.stray]
        damaged = [bad.reason for bad in self.skipped if not bad.stray]
        if strays:
            passed = counted(len(strays), "file that is no image was", "files that are no images were")
            lines.append(f"{passed} passed over; the first: {strays[0]}")
        if damaged:
            what = "file" if self.input.example == "image" else self.input.example
            lines.append(f"{counted(len(damaged), f'{what} was', f'{what}s were')} skipped; the first: {damaged[0]}")
        lines += map(str, self.duplicates)
        return lines + self._imbalance()

    def _imbalance(self) -> list[str]:
        if not self.class_names:
            return []
        counts = np.bincount(self.train.labels, minlength=len(self.class_names))
        most, least = int(counts.argmax()), int(counts.argmin())
        if counts[most] < IMBALANCE * counts[least]:
            return []
        what = f"{self.input.example}s"
        return [
            f"imbalanced classes: {counts[most]:,} training {what} of {self.class_names[most]!r}, "
            f"{counts[least]:,} of {self.class_names[least]!r}; data.balance=weights or oversample evens them out"
        ]
