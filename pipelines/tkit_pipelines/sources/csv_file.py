"""A table of file names and labels: a .csv (or .tsv), its pictures' paths relative to it.

With a header: a column `file`, `filename`, `path` or `image`, one `label` or `class`, and optionally `split`
(`train` or `test`). Without one: the first two columns. Separated by commas, semicolons or tabs. Labels are
class names; where all are whole numbers, they are ordered as numbers.
"""

from __future__ import annotations

import csv
import hashlib
from collections.abc import Iterator
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

from tkit_edge.errors import InputError
from tkit_pipelines import files
from tkit_pipelines.encoded import Encoded, EncodedSource, Picture
from tkit_pipelines.source import PathSource

FILE, LABEL, SPLIT = ("file", "filename", "path", "image"), ("label", "class"), ("split",)
EXPECTED = "Expected a file name and a label a line, with a header (file,label[,split]) or without one."


class _Row(NamedTuple):
    line: int
    path: Path
    label: str
    test: bool


class CsvFile(EncodedSource, PathSource):
    """Pictures that the user's own table lists."""

    usage = "FILE.csv"

    def __init__(self, path: Path) -> None:
        self.path = path

    @classmethod
    def reads(cls, path: Path) -> bool:
        """Whether `path` is a file called .csv or .tsv."""
        return path.is_file() and path.suffix.lower() in (".csv", ".tsv")

    @classmethod
    def from_path(cls, path: Path) -> CsvFile:
        """The source that reads `path`."""
        return cls(path)

    def identity(self) -> dict[str, Any]:
        """The path, and a digest of the table and of each file's size and time of change."""
        digest = hashlib.sha256()
        for row, state in zip(self._rows, self._states, strict=True):
            digest.update(f"{row.path}\0{row.label}\0{row.test}\0{state}\n".encode("utf-8", "surrogateescape"))
        return {"csv": str(self.path.resolve()), "rows": digest.hexdigest()}

    def open(self) -> Encoded:
        """The classes by name, the training pictures first, in the table's order."""
        labels = {row.label for row in self._rows}
        as_numbers = all(label.isascii() and label.isdigit() for label in labels)
        names = tuple(sorted(labels, key=int)) if as_numbers else tuple(sorted(labels))
        index = {name: number for number, name in enumerate(names)}

        def pictures() -> Iterator[Picture]:
            for number, row in enumerate(self._rows):
                yield Picture(number, str(row.path), index[row.label], files.read(row.path))

        test = sum(row.test for row in self._rows)
        return Encoded(len(self._rows) - test, test, names, pictures())

    def encoded(self, row: int) -> bytes:
        """The bytes of the file of picture `row`, as long as it is the file that was listed."""
        state = self._states[row]
        if state is None:
            raise InputError(f"{self._rows[row].path}: there was no such file.")
        return files.read_unchanged(self._rows[row].path, state)

    def file(self, row: int) -> str:
        """The path of image `row`."""
        return str(self._rows[row].path)

    @cached_property
    def _states(self) -> list[files.State | None]:
        """Each row's file as it is now; None where there is none."""

        def state(path: Path) -> files.State | None:
            try:
                return files.State.of(path)
            except OSError:
                return None

        return [state(row.path) for row in self._rows]

    @cached_property
    def _rows(self) -> list[_Row]:
        """The table, training pictures first."""
        try:
            text = self.path.read_text(encoding="utf-8-sig")
        except (OSError, UnicodeDecodeError) as error:
            raise InputError(f"{self.path}: cannot be read as UTF-8 text ({error}).") from error
        first = text.partition("\n")[0]
        reader = csv.reader(text.splitlines(), delimiter=max(",;\t", key=first.count))
        try:
            table = [(reader.line_num, [cell.strip() for cell in cells]) for cells in reader if any(cells)]
        except csv.Error as error:
            raise InputError(f"{self.path}: line {reader.line_num}: {error}. {EXPECTED}") from error
        if not table:
            raise InputError(f"{self.path}: the table is empty. {EXPECTED}")
        header = [cell.lower() for cell in table[0][1]]
        file, label, split = (
            next((header.index(name) for name in names if name in header), -1) for names in (FILE, LABEL, SPLIT)
        )
        if file >= 0 and label >= 0:
            table = table[1:]
        elif file >= 0 or label >= 0:
            raise InputError(
                f"{self.path}: the header {','.join(header)!r} names only one of file and label. {EXPECTED}"
            )
        else:
            file, label, split = 0, 1, -1
        seen: dict[Path, int] = {}
        rows = []
        for line, cells in table:
            if len(cells) <= max(file, label, split) or not cells[file] or not cells[label]:
                raise InputError(f"{self.path}: line {line}: {','.join(cells)!r}. {EXPECTED}")
            part = cells[split].lower() if split >= 0 else "train"
            if part not in ("train", "test"):
                raise InputError(
                    f"{self.path}: line {line}: split must be train or test, received {cells[split]!r}. "
                    "tkit splits validation pictures off train itself."
                )
            path = self.path.parent / cells[file]
            if path in seen:
                raise InputError(f"{self.path}: {cells[file]!r} is on line {seen[path]} and on line {line}. Keep one.")
            seen[path] = line
            rows.append(_Row(line, path, cells[label], part == "test"))
        return sorted(rows, key=lambda row: row.test)
