"""A .csv or .tsv file with a text and a label a row (`text_columns` finds which is which); .gz too.

- .csv is RFC 4180: separated by commas, semicolons or tabs, whichever gives rows of one length; a quoted text may have
  separators, doubled quotes and line ends in it.
- .tsv is one row a line, separated by tabs. A quote is a character of the text, as in SST-2 and its kind, unless every
  cell of the file that has a quote in it is quoted by RFC 4180: then a program has quoted them, and the quotes come
  off.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from itertools import chain, islice
from pathlib import Path

from tkit_edge.errors import InputError
from tkit_edge.text import counted
from tkit_pipelines import text_lines
from tkit_pipelines.table_file import TableFile
from tkit_pipelines.text_source import MAX_CHARACTERS
from tkit_pipelines.text_table import Table

SEPARATORS = ",;\t"
_QUOTED = re.compile(r'"(?:[^"]|"")*"')
_HEAD = 50
"""Lines that show the separator."""


class CsvFile(TableFile):
    """Texts in the user's own table."""

    usage = "FILE.csv|.tsv"
    suffixes = (".csv", ".tsv", ".csv.gz", ".tsv.gz")

    def table(self) -> Table:
        """The rows that hold something; the first may be a header."""
        name = self.path.name.lower().removesuffix(".gz")
        numbers, rows = _tsv(self.path) if name.endswith(".tsv") else _csv(self.path)
        if not rows:
            raise InputError(f"{self.path}: the table is empty. Expected a text and a label a row.")
        width = len(rows[0])
        for number, row in zip(numbers, rows, strict=True):
            if len(row) != width:
                raise InputError(
                    f"{self.path}: line {number} has {counted(len(row), 'column')}, the first row {width}. "
                    + (
                        "Each row of a .tsv is one line; texts with tabs or line ends in them go into a .csv, quoted."
                        if name.endswith(".tsv")
                        else 'Quote texts that have separators in them: "so, for example".'
                    )
                )
        columns = [list(column) for column in zip(*rows, strict=True)]
        return Table(self.path, None, width, columns.__getitem__, numbers)


def first_rows(path: Path) -> list[list[str]]:
    """The cells of a table's first lines, as far as these tell them.

    Raises:
        InputError: they can't be read.
    """
    head = list(islice(text_lines.lines(path), _HEAD))
    if path.name.lower().removesuffix(".gz").endswith(".tsv"):
        return [line.rstrip("\r\n").split("\t") for line in head if line.strip()]
    with _longest_cell(MAX_CHARACTERS), suppress(csv.Error):
        return [row for row in csv.reader(head, delimiter=_separator(head)) if row]
    return []


def _tsv(path: Path) -> tuple[list[int], list[list[str]]]:
    """The lines' numbers, and their cells."""
    numbers, rows = [], []
    for number, line in enumerate(text_lines.lines(path), 1):
        row = line.rstrip("\r\n").split("\t")
        if any(map(str.strip, row)):
            numbers.append(number)
            rows.append(row)
    if all(_QUOTED.fullmatch(cell) for row in rows for cell in row if '"' in cell):
        rows = [[cell[1:-1].replace('""', '"') if cell[:1] == '"' else cell for cell in row] for row in rows]
    return numbers, rows


def _csv(path: Path) -> tuple[list[int], list[list[str]]]:
    """The numbers of the lines that rows begin on, and their cells."""
    lines = text_lines.lines(path)
    head = list(islice(lines, _HEAD))
    numbers, rows, begin = [], [], 1
    with _longest_cell(MAX_CHARACTERS):
        reader = csv.reader(chain(head, lines), delimiter=_separator(head), strict=True)
        try:
            for row in reader:
                if any(map(str.strip, row)):
                    numbers.append(begin)
                    rows.append(row)
                begin = reader.line_num + 1
        except csv.Error as error:
            raise InputError(
                f"{path}: line {begin} is no row of a CSV file: {error}. A cell may have {MAX_CHARACTERS:,} "
                "characters; one that begins with a quote ends with one, and quotes within are doubled (RFC 4180)."
            ) from error
    return numbers, rows


def _separator(head: list[str]) -> str:
    """What gives rows of one length, the greatest; else what the first line has most of."""
    lengths = {separator: _lengths(head, separator) for separator in SEPARATORS}
    fitting = [separator for separator, found in lengths.items() if len(found) == 1 and max(found) > 1]
    if fitting:
        return max(fitting, key=lambda separator: max(lengths[separator]))
    return max(SEPARATORS, key="".join(head[:1]).count)


def _lengths(head: list[str], separator: str) -> set[int]:
    """The lengths of the rows of a file's first lines."""
    found: list[int] = []
    try:
        found += (len(row) for row in csv.reader(head, delimiter=separator) if row)
    except csv.Error:
        return set()
    return set(found[:-1] if len(head) == _HEAD else found)  # the last row may be cut off


@contextmanager
def _longest_cell(characters: int) -> Iterator[None]:
    """The csv module's limit, which is one for all readers, for the length of a block."""
    before = csv.field_size_limit(characters)
    try:
        yield
    finally:
        csv.field_size_limit(before)
