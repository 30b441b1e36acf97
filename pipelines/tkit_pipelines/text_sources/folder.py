"""A folder of texts: tables by split (train.tsv, dev.tsv, test.tsv), or .txt files, one folder a class.

- Tables: those that lie beside one for training, which `split_names` tells by their names; a split may be in numbered
  pieces (`train-00000-of-00002.parquet`). All have the columns of the training table. A folder that holds one table and
  nothing else to read is that table.
- .txt files: as `layout` reads folders of images, with or without train/ and test/ above. IMDB's `unsup` is left out.
"""

from __future__ import annotations

import re
from dataclasses import replace
from functools import cached_property, reduce
from operator import add
from pathlib import Path, PurePosixPath

import numpy as np

from tkit_edge import images
from tkit_edge.errors import InputError
from tkit_pipelines import files, split_names, text_lines
from tkit_pipelines.dataset import Bad
from tkit_pipelines.layout import read_layout, unlabelled_layout
from tkit_pipelines.split_names import SPLITS, Split
from tkit_pipelines.table_file import TableFile
from tkit_pipelines.text_columns import choose, choose_alike
from tkit_pipelines.text_source import Places, Records, TextsFromPath, Wanted, images_given
from tkit_pipelines.text_sources.csv_file import CsvFile
from tkit_pipelines.text_sources.jsonl import Jsonl
from tkit_pipelines.text_sources.parquet import Parquet
from tkit_pipelines.text_table import records

TABLES: tuple[type[TableFile], ...] = (CsvFile, Jsonl, Parquet)
UNLABELLED = {"unsup", "unsupervised", "unlabelled", "unlabeled"}
"""Folders of texts without a class."""
EXPECTED = "Expected train.tsv (.csv, .jsonl, .parquet) and maybe dev and test ones, or .txt files, one folder a class."


class Folder(TextsFromPath):
    """Texts in the user's own folder."""

    usage = "FOLDER"

    def __init__(self, path: Path) -> None:
        self.path = path

    @classmethod
    def reads(cls, path: Path) -> bool:
        """Whether `path` is a folder."""
        return path.is_dir()

    @classmethod
    def from_path(cls, path: Path) -> Folder:
        """The source that reads `path`."""
        return cls(path)

    def read(self, wanted: Wanted) -> Records:
        """All texts; see `TextSource.read`."""
        tables = [name for name in self._names if any(kind.named(name) for kind in TABLES)]
        for folder in sorted({PurePosixPath(name).parent for name in tables}, key=lambda found: len(found.parts)):
            beside = [name for name in tables if PurePosixPath(name).parent == folder]
            if "train" in map(_split, beside):
                return self._read_tables(beside, wanted)
        if any(name.lower().endswith(".txt") for name in self._names):
            return self._read_texts(wanted)
        if len(tables) == 1:
            return self._table(tables[0]).read(wanted)
        if any(PurePosixPath(name).suffix.lower() in images.SUFFIXES for name in self._names):
            raise images_given(str(self.path))
        found = f"the tables {', '.join(tables)}, none for training" if tables else "neither"
        raise InputError(f"data {str(self.path)!r}: found {found}. {EXPECTED}")

    @property
    def _names(self) -> list[str]:
        """The files' relative names, hidden ones left out, in order."""
        return sorted(name for name in self._listing[0] if not any(part[0] == "." for part in name.split("/")))

    @cached_property
    def _listing(self) -> tuple[dict[str, files.State], list[str]]:
        return files.listing(self.path)

    def _table(self, name: str) -> TableFile:
        return next(kind for kind in TABLES if kind.named(name)).from_path(self.path / name)

    def _read_tables(self, names: list[str], wanted: Wanted) -> Records:
        """The texts of tables that lie beside each other, one of them for training."""
        by_split: dict[Split, list[str]] = {}
        notes = []
        for name in names:
            if split := _split(name):
                by_split.setdefault(split, []).append(name)
            else:
                notes.append(f"{name} is left out: its name is no split's")
        for split, pieces in by_split.items():
            if len(pieces) > 1 and not all(map(_is_piece, pieces)):
                raise InputError(
                    f"{self.path}: {', '.join(pieces)} are all of the {split} split by their names. Keep one here."
                )
        (_, first), *others = [(split, name) for split in SPLITS for name in by_split.get(split, ())]
        train, columns = choose(self._table(first).table(), wanted)
        read = [records(train, columns, first, "train", wanted.labels)]
        for split, name in others:
            found = choose_alike(self._table(name).table(), split, train, columns, wanted)
            read.append(records(*found, name, split, wanted.labels))
        return replace(reduce(add, read), notes=tuple(notes))

    def _read_texts(self, wanted: Wanted) -> Records:
        """The texts of .txt files."""
        listed, folders = self._listing
        names = [name for name in listed if name.lower().endswith(".txt")]
        notes = []
        if wanted.labels:
            notes = [
                f"{name}/ is left out: its texts have no class" for name in sorted(filter(_is_unlabelled, folders))
            ]
            names = [name for name in names if not _is_unlabelled(name)]
            folders = [name for name in folders if not _is_unlabelled(name)]
            layout = read_layout(names, folders, str(self.path), "texts", keeps_validation=True)
        else:
            layout = unlabelled_layout(names, folders, str(self.path), "texts")
        of_train = layout.train - layout.validation
        texts, labels, splits, good, skipped = list[str](), list[str](), list[Split](), list[int](), list[Bad]()
        for name, (index, label) in layout.places.items():
            try:
                texts.append(text_lines.whole(self.path / name))
            except InputError as error:
                if not wanted.skip_bad:
                    raise InputError(
                        f"{error} Or go on without such files: --skip-bad (data.skip_bad=true)."
                    ) from error
                skipped.append(Bad(name, str(error)))
                continue
            good.append(index)
            labels.append(layout.class_names[label])
            splits.append("train" if index < of_train else "validation" if index < layout.train else "test")
        return Records(
            texts,
            labels if wanted.labels else None,
            splits,
            Places(list(layout.places), np.array(good, np.int64)),
            layout.class_names,
            tuple(skipped),
            (*notes, *layout.notes),
            layout.problems,
        )


def _is_unlabelled(name: str) -> bool:
    """Whether a folder, or one above a file, has the name of those without a class."""
    return any(part.lower() in UNLABELLED for part in name.split("/"))


def _meaning(name: str) -> split_names.Named:
    """What a table's name tells, apart from its suffix."""
    return split_names.read(PurePosixPath(name.removesuffix(".gz")).stem)


def _split(name: str) -> Split | None:
    """The split of a table, by its name."""
    return _meaning(name).split


def _is_piece(name: str) -> bool:
    """Whether a table is one numbered piece of a split."""
    rest = _meaning(name).rest
    return bool(rest) and all(re.fullmatch(r"\d+|of|part", word) for word in rest)
