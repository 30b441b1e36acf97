"""Decoded images kept on disk: made once for a source and a size, memory-mapped by every later stage.

Encoded texts lie beside them (`token_cache`).

An entry is a folder `<cache>/decoded/<sha256 of the key>/` with `images.npy` (uint8 [N, H, W, C], training
images first), `labels.npy` (int32 [N], -1 for a file that is no image) and `meta.json` (key, counts, class
names, bad files, checksums), which is written last. The folder gets its name by a rename when it is whole. An
entry that fails any check counts as missing. A writer holds a lock on its unfinished folder; what a dead one
left is removed by the next.
"""

from __future__ import annotations

import errno
import hashlib
import json
import os
import shutil
import sys
import tempfile
import time
import zlib
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from tkit_edge.errors import InputError
from tkit_pipelines.dataset import Bad
from tkit_pipelines.source import Shape

try:
    import fcntl
except ImportError:  # Windows: what a dead process left stays there
    fcntl = None  # type: ignore[assignment]

CHUNK = 16 << 20  # bytes a checksum
YOUNG = 60  # seconds in which a folder without a lock may be one whose writer is about to lock it


class Entry(NamedTuple):
    """What the cache holds of a source."""

    images: np.ndarray
    """uint8 [N, H, W, C], memory-mapped."""
    labels: np.ndarray
    """int32 [N], -1 for a bad file."""
    train: int
    class_names: tuple[str, ...]
    bad: tuple[Bad, ...]
    notes: tuple[str, ...]


def cache_dir() -> Path:
    """The folder for what can be made again: `TKIT_CACHE`, else the platform's cache folder for this user."""
    if chosen := os.environ.get("TKIT_CACHE"):
        return Path(chosen).expanduser()
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Caches" / "tkit"
    if sys.platform == "win32":
        return Path(os.environ.get("LOCALAPPDATA", Path.home())) / "tkit" / "Cache"
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "tkit"


class Held(NamedTuple):
    """One entry of the cache, as a person sees it."""

    folder: Path
    source: str
    """What it was decoded or encoded from."""
    shape: tuple[int, ...]
    """Height, width and channels; of texts the length."""
    images: int
    """Or texts."""
    bytes: int


def emulated(name: str) -> Path:
    """The folder of a system that is emulated; the caller makes it."""
    return cache_dir() / "emulated" / name


def held() -> list[Held]:
    """What the cache holds, the largest first; damaged and unfinished entries too, without a source."""
    folders = [folder for folder in (cache_dir() / "decoded").glob("*") if folder.is_dir()]
    systems = [Held(folder, folder.name, (), 0, bytes_below(folder)) for folder in emulated("").glob("*")]
    return sorted([*map(_held, folders), *systems], key=lambda item: -item.bytes)


def clear() -> int:
    """Deletes all that the cache holds but what is being written; gives the bytes that were freed.

    Raises:
        InputError: a folder can't be deleted.
    """
    freed = 0
    for item in held():
        lock = _lock(item.folder) if ".partial-" in item.folder.name else None
        if ".partial-" in item.folder.name and lock is None and fcntl is not None:
            continue
        try:
            shutil.rmtree(item.folder)
        except OSError as error:
            raise InputError(f"Cannot delete {item.folder}: {error.strerror}.") from error
        finally:
            if lock is not None:
                os.close(lock)
        freed += item.bytes
    return freed


def _held(folder: Path) -> Held:
    source, count = "unfinished or damaged", 0
    shape: tuple[int, ...] = ()
    with suppress(OSError, ValueError, KeyError, TypeError, AttributeError):
        meta = json.loads((folder / "meta.json").read_text())
        source, shape = str(next(iter(meta["key"]["source"].values()))), tuple(meta["key"]["shape"][:3])
        rows = next(path for name in ("labels.npy", "tokens.npy") if (path := folder / name).is_file())
        count = int(np.load(rows, mmap_mode="r", allow_pickle=False).shape[0])
    return Held(folder, source, shape, count, bytes_below(folder))


def bytes_below(folder: Path) -> int:
    """The bytes of all files below a folder; links are not followed."""
    total = 0
    for path, _, names in os.walk(folder):
        for name in names:
            file = os.path.join(path, name)
            total += 0 if os.path.islink(file) or not os.path.exists(file) else os.path.getsize(file)
    return total


def size_text(count: int) -> str:
    """Bytes for people, in decimal units."""
    return f"{count / 1e9:.1f} GB" if count >= 1e9 else f"{count / 1e6:.1f} MB"


def entry(key: dict[str, Any]) -> Path:
    """The folder that holds, or will hold, the entry of `key` (JSON values)."""
    return cache_dir() / "decoded" / hashlib.sha256(json.dumps(key, sort_keys=True).encode()).hexdigest()[:32]


def read(key: dict[str, Any]) -> Entry | None:
    """The entry of `key`, or None where there is none that is whole."""
    folder = entry(key)
    try:
        meta = json.loads((folder / "meta.json").read_text())
        if meta["key"] != key or meta["checksums"] != _checksums(folder):
            return None
        # "c": pages are read on demand and shared with the page cache; a write would stay in this process.
        images = np.load(folder / "images.npy", mmap_mode="c", allow_pickle=False)
        labels = np.load(folder / "labels.npy", allow_pickle=False)
        bad = tuple(Bad(*item) for item in meta["bad"])
        return Entry(images, labels, meta["train"], tuple(meta["class_names"]), bad, tuple(meta["notes"]))
    except (OSError, ValueError, KeyError, TypeError):
        return None


class Writer:
    """Writes one entry, image by image, in any order."""

    def __init__(self, folder: Path, count: int, shape: Shape) -> None:
        self.labels = np.full(count, -1, np.int32)
        self.bad: dict[int, Bad] = {}
        self._image_bytes = int(np.prod(shape.array))
        self._file = (folder / "images.npy").open("wb", buffering=0)
        header = {"descr": "|u1", "fortran_order": False, "shape": (count, *shape.array)}
        np.lib.format.write_array_header_1_0(self._file, header)
        self._start = self._file.tell()

    def put(self, index: int, image: np.ndarray, label: int) -> None:
        """Store image `index`: uint8 [H, W, C] and its class."""
        # Plain writes: on a full disk they fail with an error, where a store into a memory map kills the
        # process.
        self._file.seek(self._start + index * self._image_bytes)
        written = self._file.write(np.ascontiguousarray(image).data)
        if written != self._image_bytes:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        self.labels[index] = label

    def put_bad(self, index: int, bad: Bad) -> None:
        """Note that `index` is no image; its row holds nothing."""
        self.bad[index] = bad

    def close(self) -> None:
        """Close the file of images, at its full length even where the last ones are bad."""
        self._file.truncate(self._start + len(self.labels) * self._image_bytes)
        self._file.close()


@contextmanager
def write(
    key: dict[str, Any], train: int, test: int, class_names: tuple[str, ...], notes: tuple[str, ...], shape: Shape
) -> Iterator[Writer]:
    """A writer for the entry of `key`, which appears when the block ends without an error.

    Raises:
        InputError: the cache folder can't be written (disk full, no permission).
    """
    final = entry(key)
    partial = lock = None
    try:
        final.parent.mkdir(parents=True, exist_ok=True)
        _remove_abandoned(final.parent)
        partial = Path(tempfile.mkdtemp(prefix=f"{final.name}.partial-", dir=final.parent))
        lock = _lock(partial)
        writer = Writer(partial, train + test, shape)
        try:
            yield writer
        finally:
            writer.close()
        np.save(partial / "labels.npy", writer.labels)
        bad = [writer.bad[row] for row in sorted(writer.bad)]
        meta = {
            **{"key": key, "train": train, "class_names": class_names, "bad": bad, "notes": notes},
            "checksums": _checksums(partial),
        }
        (partial / "meta.json").write_text(json.dumps(meta))
        if final.exists():  # a damaged entry, or another process was quicker
            shutil.rmtree(final)
        partial.rename(final)
    except OSError as error:
        raise InputError(
            f"cannot write decoded images to {final.parent}: {error.strerror or error}. Free "
            f"{(train + test) * int(np.prod(shape.array)) / 1e6:,.0f} MB there, or name another folder in "
            "TKIT_CACHE."
        ) from error
    finally:
        if partial is not None:
            shutil.rmtree(partial, ignore_errors=True)
        if lock is not None:
            os.close(lock)


def _lock(folder: Path) -> int | None:
    """A descriptor that holds the lock on `folder` until it is closed or its process ends; None where it's held."""
    if fcntl is None:
        return None
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:  # held, or a file system without locks
        os.close(descriptor)
        return None
    return descriptor


def _remove_abandoned(folder: Path) -> None:
    """Remove the unfinished entries whose writers are gone."""
    for left in folder.glob("*.partial-*"):
        with suppress(OSError):
            if time.time() - left.stat().st_mtime < YOUNG:
                continue
            lock = _lock(left)
            if lock is not None:
                shutil.rmtree(left, ignore_errors=True)
                os.close(lock)


def _checksums(folder: Path) -> dict[str, list[int]]:
    """CRC-32 of each 16 MiB of the entry's arrays, with their sizes, computed in parallel."""
    sums = {}
    with ThreadPoolExecutor() as pool:
        for name in ("images.npy", "labels.npy"):
            data = np.memmap(folder / name, np.uint8, "r")
            chunks = [data[start : start + CHUNK] for start in range(0, len(data), CHUNK)]
            sums[name] = [len(data), *pool.map(zlib.crc32, chunks)]
    return sums
