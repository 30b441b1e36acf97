"""A table of file names and labels: a .csv (or .tsv), its images' paths relative to it.

With a header of known names (`FILE`, `LABEL`, and optionally `SPLIT`), in any case; or without one: a column of files,
and the labels right of it. A header is never taken for an image: where the first line names no image and no known
columns, it is refused. Separated by commas, semicolons or tabs; paths with slashes or backslashes; file names may
lack their suffix (`image_id`). Classes are in the order of `class_names`.
"""

from __future__ import annotations

import csv
import hashlib
import re
from collections.abc import Iterator
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

from tkit_edge import images
from tkit_edge.errors import InputError
from tkit_pipelines import class_names, files, split_names
from tkit_pipelines.encoded import Encoded, EncodedImage, EncodedSource
from tkit_pipelines.source import PathSource

FILE = (
    *("file", "filename", "file_name", "filepath", "file_path", "path", "image", "image_name", "image_path"),
    *("image_file", "image_filename", "image_file_name", "imagename", "imagepath", "img", "img_name", "img_path"),
    *("image_id", "img_id", "id", "id_code", "image", "photo", "fname", "files", "filenames", "images", "paths"),
)
LABEL = (
    *("label", "class", "target", "category", "labels", "class_name", "classname", "label_name", "class_label"),
    *("category_name", "class_id", "label_id", "category_id", "classes", "targets", "y", "ground_truth"),
    *("diagnosis", "dx", "breed", "species"),
)
EXPECTED = "Expected a file name and a label a line, with a header (file,label[,split]) or without one."


class _Row(NamedTuple):
    line: int
    path: Path
    label: str
    test: bool


class CsvFile(EncodedSource, PathSource):
    """Images that the user's own table lists."""

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
        digest.update("\n".join(self._notes).encode())
        return {"csv": str(self.path.resolve()), "rows": digest.hexdigest()}

    def open(self) -> Encoded:
        """The classes in their order, the training images first, in the table's order."""
        index, names = class_names.ordered(row.label for row in self._rows)

        def images() -> Iterator[EncodedImage]:
            for number, row in enumerate(self._rows):
                yield EncodedImage(number, str(row.path), index[row.label], files.read(row.path))

        test = sum(row.test for row in self._rows)
        return Encoded(len(self._rows) - test, test, names, images(), notes=self._notes, listed=True)

    def encoded(self, row: int) -> bytes:
        """The bytes of the file of image `row`, as long as it is the file that was listed."""
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

    @property
    def _rows(self) -> list[_Row]:
        """The table, training images first."""
        return self._read[0]

    @property
    def _notes(self) -> tuple[str, ...]:
        return self._read[1]

    @cached_property
    def _read(self) -> tuple[list[_Row], tuple[str, ...]]:
        table = self._table()
        (file, label, split), table = self._columns(table)
        seen: dict[Path, int] = {}
        read: list[tuple[_Row, str]] = []
        for line, cells in table:
            if len(cells) <= max(file, label, split) or not cells[file] or not cells[label]:
                raise InputError(f"{self.path}: line {line}: {','.join(cells)!r}. {EXPECTED}")
            part = split_names.read(cells[split]).split if split >= 0 else "train"
            if part is None:
                raise InputError(
                    f"{self.path}: line {line}: split must be train, test or validation, received {cells[split]!r}."
                )
            path = self._located(cells[file])
            if path in seen:
                raise InputError(f"{self.path}: {cells[file]!r} is on line {seen[path]} and on line {line}. Keep one.")
            seen[path] = line
            read.append((_Row(line, path, cells[label], part == "test"), part))
        self._refuse_missing([row for row, _ in read])
        parts = {part for _, part in read}
        notes: tuple[str, ...] = ()
        if "validation" in parts and "test" in parts:
            notes = ("the validation rows join the training rows, of which data.validation is held out",)
        elif "validation" in parts:
            notes = ("the validation rows are the test split; validation images are held out of the training rows",)
            read = [(row._replace(test=part == "validation"), part) for row, part in read]
        return sorted((row for row, _ in read), key=lambda row: row.test), notes

    def _table(self) -> list[tuple[int, list[str]]]:
        """The lines that hold something, with their numbers."""
        try:
            text = self.path.read_text(encoding="utf-8-sig")
        except (OSError, UnicodeDecodeError) as error:
            raise InputError(f"{self.path}: cannot be read as UTF-8 text ({error}).") from error
        first = text.strip().partition("\n")[0]
        reader = csv.reader(text.splitlines(), delimiter=max(",;\t", key=first.count))
        try:
            table = [(reader.line_num, [cell.strip() for cell in cells]) for cells in reader if any(cells)]
        except csv.Error as error:
            raise InputError(f"{self.path}: line {reader.line_num}: {error}. {EXPECTED}") from error
        if not table:
            raise InputError(f"{self.path}: the table is empty. {EXPECTED}")
        return table

    def _columns(self, table: list[tuple[int, list[str]]]) -> tuple[tuple[int, int, int], list[tuple[int, list[str]]]]:
        """Which columns hold file, label and split (-1: none does), and the rows below the header."""
        first = table[0][1]
        header = [re.sub(r"[^a-z0-9]+", "_", cell.lower()).strip("_") for cell in first]
        file, label, split = (
            next((header.index(name) for name in names if name in header), -1)
            for names in (FILE, LABEL, split_names.COLUMNS)
        )
        if file >= 0 and label >= 0:
            return (file, label, split), table[1:]
        found = [number for number, cell in enumerate(first) if self._is_image(cell)]
        if found and len(first) > 1:
            return (found[0], found[0] + 1 if found[0] + 1 < len(first) else 0, -1), table
        unknown = [name for name, at in (("file", file), ("label", label)) if at < 0]
        raise InputError(
            f"{self.path}: the first line names no image that is there, so it is taken for a header; of its columns, "
            f"{', '.join(map(repr, first))}, which holds the {' and which the '.join(f'{name}s' for name in unknown)} "
            f"isn't known. Call {'it' if len(unknown) == 1 else 'them'} {' and '.join(map(repr, unknown))}."
        )

    def _is_image(self, cell: str) -> bool:
        return Path(cell.replace("\\", "/")).suffix.lower() in images.SUFFIXES or self._located(cell).is_file()

    def _located(self, cell: str) -> Path:
        """The file that a cell names; as it is written, where there is none."""
        written = self.path.parent / cell
        path = self.path.parent / cell.replace("\\", "/")
        without_suffix = path.suffix.lower() not in images.SUFFIXES
        endings = [path.with_name(path.name + suffix) for suffix in images.SUFFIXES] if without_suffix else []
        return next((found for found in (written, path, *endings) if found.is_file()), path)

    def _refuse_missing(self, rows: list[_Row]) -> None:
        """Refuse a column of numbers in which some are missing, as pandas writes them."""
        missing = [row for row in rows if row.label.lower() in class_names.MISSING]
        others = {row.label for row in rows} - {row.label for row in missing}
        if missing and others and all(map(class_names.is_number, others)):
            raise InputError(
                f"{self.path}: line {missing[0].line}: the label {missing[0].label!r} is no class ({len(missing)} of "
                f"{len(rows)} rows have none). Fill in the labels, or remove the rows."
            )
