"""A folder of pictures, one folder a class, with or without train/ and test/ above (see `layout`)."""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Iterator
from functools import cached_property
from pathlib import Path
from typing import Any

from tkit_edge.errors import InputError
from tkit_pipelines.encoded import Encoded, EncodedSource, Picture
from tkit_pipelines.layout import Layout, read_layout
from tkit_pipelines.source import PathSource


class Folder(EncodedSource, PathSource):
    """Pictures in the user's own folder."""

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

    def identity(self) -> dict[str, Any]:
        """The path and a digest of every file's name, size and time of change."""
        digest = hashlib.sha256()
        files, folders = self._listing
        for name, (size, changed) in sorted(files.items()):
            digest.update(f"{name}\0{size}\0{changed}\n".encode("utf-8", "surrogateescape"))
        digest.update("\n".join(sorted(folders)).encode("utf-8", "surrogateescape"))
        return {"folder": str(self.path.resolve()), "listing": digest.hexdigest()}

    def open(self) -> Encoded:
        """The classes by folder name, and the pictures in order."""
        layout = read_layout(*self._listing, str(self.path))
        return Encoded(layout.train, layout.test, layout.class_names, self._pictures(layout))

    @cached_property
    def _listing(self) -> tuple[dict[str, tuple[int, int]], list[str]]:
        """Regular files (relative name -> size, time of change in ns) and folders; links are followed."""
        files: dict[str, tuple[int, int]] = {}
        folders: list[str] = []
        seen = set()

        def refuse(error: OSError) -> None:
            raise InputError(f"{error.filename}: cannot be read: {error.strerror}.") from error

        for folder, inner, names in os.walk(self.path, followlinks=True, onerror=refuse):
            real = os.path.realpath(folder)
            if real in seen:  # a link back up the tree
                inner.clear()
                continue
            seen.add(real)
            relative = os.path.relpath(folder, self.path).replace(os.sep, "/")
            prefix = "" if relative == "." else f"{relative}/"
            folders += [prefix + name for name in inner]
            for name in names:
                try:
                    found = os.stat(os.path.join(folder, name))
                except OSError as error:
                    refuse(error)
                if stat.S_ISREG(found.st_mode):
                    files[prefix + name] = found.st_size, found.st_mtime_ns
        return files, folders

    def _pictures(self, layout: Layout) -> Iterator[Picture]:
        for name, (index, label) in layout.places.items():
            path = self.path / name
            try:
                data = path.read_bytes()
            except OSError as error:
                raise InputError(f"{path}: cannot be read: {error.strerror}.") from error
            yield Picture(index, str(path), label, data)
