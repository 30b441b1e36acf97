"""A folder of images, one folder a class, with or without train/ and test/ above (see `layout`)."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from functools import cached_property
from pathlib import Path
from typing import Any

from tkit_pipelines import files
from tkit_pipelines.encoded import Encoded, EncodedImage, EncodedSource
from tkit_pipelines.layout import Layout, read_layout, unlabelled_layout
from tkit_pipelines.source import PathSource
from tkit_pipelines.sources.idx import Idx


class Folder(EncodedSource, PathSource):
    """Images in the user's own folder."""

    usage = "FOLDER"

    def __init__(self, path: Path, is_labelled: bool = True) -> None:
        self.path, self._is_labelled = path, is_labelled

    @classmethod
    def reads(cls, path: Path) -> bool:
        """Whether `path` is a folder, and not one of IDX files."""
        return path.is_dir() and not Idx.reads(path)

    @classmethod
    def from_path(cls, path: Path) -> Folder:
        """The source that reads `path`."""
        return cls(path)

    def unlabelled(self) -> Folder:
        """The same with every file as an image, in a class folder or not."""
        return type(self)(self.path, is_labelled=False)

    def identity(self) -> dict[str, Any]:
        """The path and a digest of every file's name, size and time of change."""
        digest = hashlib.sha256()
        listed, folders = self._listing
        for name, (size, changed) in sorted(listed.items()):
            digest.update(f"{name}\0{size}\0{changed}\n".encode("utf-8", "surrogateescape"))
        digest.update("\n".join(sorted(folders)).encode("utf-8", "surrogateescape"))
        labelled: dict[str, Any] = {} if self._is_labelled else {"labelled": False}
        return {"folder": str(self.path.resolve()), "listing": digest.hexdigest(), **labelled}

    def open(self) -> Encoded:
        """The classes by folder name, and the images in order."""
        layout = self._layout
        return Encoded(layout.train, layout.test, layout.class_names, self._images(), layout.problems, layout.notes)

    def encoded(self, row: int) -> bytes:
        """The bytes of the file of image `row`, as long as it is the file that was listed."""
        name = self._names[row]
        return files.read_unchanged(self.path / name, self._listing[0][name])

    def file(self, row: int) -> str:
        """The path of image `row`."""
        return str(self.path / self._names[row])

    @cached_property
    def _layout(self) -> Layout:
        return (read_layout if self._is_labelled else unlabelled_layout)(*self._listing, str(self.path))

    @cached_property
    def _names(self) -> list[str]:
        """The images' names by row."""
        return list(self._layout.places)

    @cached_property
    def _listing(self) -> tuple[dict[str, files.State], list[str]]:
        return files.listing(self.path)

    def _images(self) -> Iterator[EncodedImage]:
        for name, (index, label) in self._layout.places.items():
            yield EncodedImage(index, str(self.path / name), label, files.read(self.path / name))
