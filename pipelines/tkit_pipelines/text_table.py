"""Tables of texts, read by column: what `text_sources` make of a file, and `text_columns` chooses from."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple

from tkit_edge.errors import InputError
from tkit_pipelines import split_names
from tkit_pipelines.split_names import Split
from tkit_pipelines.text_source import Places, Records


@dataclass(frozen=True)
class Table:
    """The rows of a file."""

    path: Path
    names: tuple[str, ...] | None
    """The columns' names; None where the first row may or may not hold them."""
    width: int
    column: Callable[[int], list[str]]
    """The cells of a column, "" for those that are missing."""
    numbers: Sequence[int]
    """Of each row, where it begins in the file, from 1."""
    unit: str = "line"
    """What `numbers` count."""

    def first_row(self) -> tuple[str, ...]:
        """The first row's cells."""
        return tuple(self.column(at)[0] for at in range(self.width))

    def below_header(self) -> Table:
        """The table whose columns' names are the first row."""
        return replace(self, names=self.first_row(), column=lambda at: self.column(at)[1:], numbers=self.numbers[1:])


class Columns(NamedTuple):
    """Which columns of a table hold what; -1: none does."""

    text: int
    label: int
    split: int


def as_cell(value: Any, where: str) -> str:
    """A value of a JSON object or of a Parquet file as text.

    Raises:
        InputError: it is neither a text nor a number; the message calls it `where`.
    """
    if value is None or isinstance(value, str):
        return value or ""
    if isinstance(value, bool | int | float):
        return str(value).lower()
    raise InputError(f"{where}: expected a text or a number, received {type(value).__name__}.")


def records(table: Table, columns: Columns, name: str, split: Split, is_labelled: bool) -> Records:
    """The texts of a table with their labels.

    Args:
        table: the rows.
        columns: what its columns hold.
        name: what people call its file.
        split: of all texts, where there is no column of splits.
        is_labelled: whether labels are wanted; without a column of them, all are missing.

    Raises:
        InputError: a column of splits holds something else.
    """
    texts = table.column(columns.text)
    labels = None
    if is_labelled:
        labels = [""] * len(texts) if columns.label < 0 else [label.strip() for label in table.column(columns.label)]
    splits = [split] * len(texts) if columns.split < 0 else _splits(table, columns.split)
    return Records(texts, labels, splits, Places.numbered(f"{name} {table.unit}", table.numbers))


def _splits(table: Table, column: int) -> list[Split]:
    cells = table.column(column)
    meant = {text: split_names.read(text).split for text in set(cells)}
    splits: list[Split] = []
    for text, number in zip(cells, table.numbers, strict=True):
        split = meant[text]
        if split is None:
            raise InputError(
                f"{table.path}: {table.unit} {number}: split must be train, test or validation, received {text!r}."
            )
        splits.append(split)
    return splits
