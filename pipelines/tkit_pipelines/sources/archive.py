"""A .tar.gz, .tgz, .tar or .zip of images, shaped like a folder source, read without unpacking it to disk.

Archives come from strangers: members with absolute paths, `..`, backslashes, links or devices are refused,
and so are archives that hold too many members or unpack to far more than they weigh.
"""

from __future__ import annotations

import gzip
import io
import stat
import tarfile
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from typing import Any, BinaryIO

from tkit_edge.errors import InputError
from tkit_pipelines.encoded import Encoded, EncodedImage, EncodedSource
from tkit_pipelines.files import MAX_IMAGE_BYTES
from tkit_pipelines.layout import Layout, read_layout, unlabelled_layout
from tkit_pipelines.source import Loaded, PathSource, Shape
from tkit_pipelines.sources.npz import Npz

MAX_MEMBERS = 5_000_000
_HEADER_TYPES = (b"x", b"g", b"X", b"L", b"K")  # pax and GNU
MAX_HEADER_BYTES = 1 << 20  # of a tar's long names and the like, which are read into memory
# Images hardly compress (a tar of 1 kB JPEGs, padded to 512-byte blocks: 5 times); small archives may be
# anything.
MAX_RATIO, RATIO_FLOOR = 200, 256 << 20


class Archive(EncodedSource, PathSource):
    """Images in the user's own archive; its kind is told by its content, not by its name."""

    usage = "FILE.tar.gz|.tgz|.tar|.zip"

    def __init__(self, path: Path, is_labelled: bool = True) -> None:
        self.path, self._is_labelled = path, is_labelled
        self._loaded_as: dict[str, Any] = {}

    @classmethod
    def reads(cls, path: Path) -> bool:
        """Whether `path` is a gzip, zip or tar file, and not one of arrays."""
        packed = path.is_file() and (_is_gzip(path) or zipfile.is_zipfile(path) or tarfile.is_tarfile(path))
        return packed and not Npz.reads(path)

    @classmethod
    def from_path(cls, path: Path) -> Archive:
        """The source that reads `path`."""
        return cls(path)

    def unlabelled(self) -> Archive:
        """The same with every file as an image, in a class folder or not."""
        return type(self)(self.path, is_labelled=False)

    def identity(self) -> dict[str, Any]:
        """The path, size and time of change."""
        found = self.path.stat()
        labelled: dict[str, Any] = {} if self._is_labelled else {"labelled": False}
        return {"archive": str(self.path.resolve()), "size": found.st_size, "mtime_ns": found.st_mtime_ns, **labelled}

    def load(self, shape: Shape, skip_bad: bool = False) -> Loaded:
        """All images; see `EncodedSource.load`."""
        self._loaded_as = self.identity()
        return super().load(shape, skip_bad)

    def open(self) -> Encoded:
        """The classes by folder name, and the images in the archive's order."""
        members, layout = self._members, self._layout

        def images() -> Iterator[EncodedImage]:
            with _damage_named(self.path):
                for name, data in (_read_zip if self._zipped else _read_tar)(members):
                    if name in layout.places:
                        yield EncodedImage(layout.places[name][0], f"{self.path}: {name}", layout.places[name][1], data)

        return Encoded(layout.train, layout.test, layout.class_names, images(), layout.problems, layout.notes)

    def encoded(self, row: int) -> bytes:
        """The bytes of the file of image `row`; from a .tar.gz quick only in the archive's order."""
        if self.identity() != self._loaded_as:
            raise InputError(f"{self.path}: the archive has changed since its images were decoded. Run again.")
        name = self._names[row]
        with _damage_named(self.path):
            if self._zipped:
                with zipfile.ZipFile(self.path) as archive:
                    return archive.read(name)
            return _read_member(self._stream, *self._members.files[name])

    def file(self, row: int) -> str:
        """The archive, and the name of image `row` in it."""
        return f"{self.path}: {self._names[row]}"

    @cached_property
    def _zipped(self) -> bool:
        return not _is_gzip(self.path) and zipfile.is_zipfile(self.path)

    @cached_property
    def _members(self) -> _Members:
        members = _Members(self.path)
        with _damage_named(self.path):
            (_list_zip if self._zipped else _list_tar)(members)
        return members

    @cached_property
    def _layout(self) -> Layout:
        return (read_layout if self._is_labelled else unlabelled_layout)(
            self._members.files, self._members.folders, str(self.path)
        )

    @cached_property
    def _names(self) -> list[str]:
        """The images' names by row."""
        return list(self._layout.places)

    @cached_property
    def _stream(self) -> BinaryIO:
        """The plain tar stream, kept open so that reading on need not begin at the front again."""
        return _unpacked(self.path)


class _Members:
    """The names in an archive, each checked as it is added."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.files: dict[str, tuple[int, int]] = {}
        """Name -> (size in bytes, offset of its data in an unpacked tar)."""
        self.folders: list[str] = []
        self._archive_bytes = path.stat().st_size

    def add(self, name: str, kind: str, size: int, offset: int = 0) -> None:
        """Take a member of kind "file" or "folder"; refuse any other and every unsafe name."""
        if name.startswith("/") or "\\" in name or ".." in name.split("/") or name[1:2] == ":":
            self._refuse(f"has a member outside itself, {name!r}")
        if kind not in ("file", "folder"):
            self._refuse(f"has a member that is neither file nor folder, {name!r} (a link or device)")
        if name in self.files:
            self._refuse(f"has two members called {name!r}")
        if size > MAX_IMAGE_BYTES:
            self._refuse(f"has a member of {size:,} bytes, {name!r}; the limit is {MAX_IMAGE_BYTES:,}")
        if kind == "folder":
            self.folders.append(name)
        else:
            self.files[name] = size, offset
        if len(self.files) + len(self.folders) > MAX_MEMBERS:
            self._refuse(f"has more than {MAX_MEMBERS:,} members")

    def check_size(self, unpacked: int) -> None:
        """Refuse an archive that has unpacked to `unpacked` bytes, if that is too many for its own size."""
        if unpacked > max(RATIO_FLOOR, MAX_RATIO * self._archive_bytes):
            self._refuse(f"unpacks to more than {MAX_RATIO} times its size")

    def _refuse(self, why: str) -> None:
        raise InputError(f"{self.path}: the archive {why}; it is not read. Pack the images again, or give a folder.")


def _list_zip(members: _Members) -> None:
    unpacked = 0
    with zipfile.ZipFile(members.path) as archive:
        for info in archive.infolist():
            mode = stat.S_IFMT(info.external_attr >> 16)  # 0 where the archive was not made on Unix
            kind = "folder" if info.is_dir() else "file" if mode in (0, stat.S_IFREG) else "other"
            members.add(info.filename, kind, info.file_size)
            unpacked += info.file_size
            members.check_size(unpacked)


def _read_zip(members: _Members) -> Iterator[tuple[str, bytes]]:
    with zipfile.ZipFile(members.path) as archive:
        for name in members.files:
            yield name, archive.read(name)


class _Counted:
    """A stream that checks how much has come out of it."""

    def __init__(self, stream: BinaryIO, members: _Members) -> None:
        self._stream, self._members, self._total = stream, members, 0

    def read(self, size: int) -> bytes:
        data = self._stream.read(size)
        self._total += len(data)
        self._members.check_size(self._total)
        return data


class _TarInfo(tarfile.TarInfo):
    """A member whose headers may not be as large as a member."""

    def _proc_member(self, archive: tarfile.TarFile) -> tarfile.TarInfo:
        if self.size > MAX_HEADER_BYTES and self.type in _HEADER_TYPES:
            raise tarfile.ReadError(f"a header of {self.size:,} bytes")
        return super()._proc_member(archive)  # type: ignore[misc]  # which the standard library has for overriding


def _list_tar(members: _Members) -> None:
    with _unpacked(members.path) as stream:
        counted = _Counted(stream, members)
        with tarfile.open(fileobj=counted, mode="r|", tarinfo=_TarInfo) as archive:  # type: ignore[call-overload]
            while member := archive.next():
                regular = member.isreg() and not member.issparse()
                kind = "folder" if member.isdir() else "file" if regular else "other"
                members.add(member.name, kind, member.size, member.offset_data)
                archive.members = []  # it would keep a kilobyte for each
        while counted.read(1 << 20):  # to the end, where gzip's checksum is
            pass


def _read_tar(members: _Members) -> Iterator[tuple[str, bytes]]:
    """The files by the offsets that the listing found: tens of times faster than through tarfile."""
    with _unpacked(members.path) as stream:
        for name, (size, offset) in members.files.items():
            yield name, _read_member(stream, size, offset)


def _read_member(stream: BinaryIO, size: int, offset: int) -> bytes:
    stream.seek(offset)
    data = stream.read(size)
    if len(data) != size:
        raise EOFError("it ended early")
    return data


def _unpacked(path: Path) -> BinaryIO:
    """The plain tar stream of a .tar or .tar.gz."""
    return io.BufferedReader(gzip.open(path), 1 << 20) if _is_gzip(path) else path.open("rb")


def _is_gzip(path: Path) -> bool:
    with path.open("rb") as file:
        return file.read(2) == b"\x1f\x8b"


@contextmanager
def _damage_named(path: Path) -> Iterator[None]:
    """Turn what the standard library raises on a damaged, encrypted or unreadable archive into InputError."""
    try:
        yield
    except (tarfile.TarError, zipfile.BadZipFile, zlib.error, EOFError, OSError, RuntimeError) as error:
        raise InputError(
            f"{path}: the archive is damaged or can't be read ({error}). Fetch or pack it again."
        ) from error
