"""Sources whose images are files or arrays of any size: brought to one by a pool of threads, once, into the cache."""

from __future__ import annotations

import os
from abc import abstractmethod
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import PurePath
from typing import Any, NamedTuple, TypeVar

import numpy as np

from tkit_edge import images
from tkit_edge.errors import InputError
from tkit_pipelines import cache
from tkit_pipelines.dataset import Bad, Origin, labelled
from tkit_pipelines.progress import progress
from tkit_pipelines.source import Loaded, Shape, Source

# Part of every cache key: raise it when decoding or resizing gives other pixels, or when an entry's form
# changes.
DECODE_VERSION = 3
# A task for a thread: enough images that handing it over costs nothing, few enough bytes to hold several.
TASK_IMAGES, TASK_BYTES = 64, 8 << 20
UNREAD_SUFFIXES = (
    *(".tif", ".tiff", ".heic", ".heif", ".avif", ".jp2", ".j2k", ".jxl", ".svg", ".ppm", ".pgm", ".pbm", ".pnm"),
    *(".ico", ".tga", ".psd", ".dng", ".raw", ".cr2", ".nef", ".arw", ".exr", ".dcm", ".jpe", ".jfif", ".dib"),
)
"""Of images in formats that tkit doesn't read: they aren't skipped as a text file is."""
SKIP_HINT = "Repair or remove it, or go on without such files: --skip-bad (data.skip_bad=true)."


Result = TypeVar("Result")


class EncodedImage(NamedTuple):
    """One image as it lies in the source."""

    row: int
    """Its place: training images first, then test images."""
    name: str
    label: int
    data: bytes | np.ndarray | InputError
    """A file's bytes, pixels uint8 [H, W, 1, 3 or 4], or why the file can't be read."""


@dataclass(frozen=True)
class Encoded:
    """An opened source; `images` gives each of the `train + test` images once, in any order."""

    train: int
    test: int
    class_names: tuple[str, ...]
    images: Iterator[EncodedImage]
    problems: tuple[str, ...] = ()
    """Why nothing can be trained on this, whole messages."""
    notes: tuple[str, ...] = ()
    """What a person should know of how the source was read."""
    listed: bool = False
    """Whether the files were named one by one, so that each must be an image."""

    def stray(self, image: EncodedImage) -> bool:
        """Whether a file that can't be read is none that anybody takes for an image, such as notes.txt."""
        named = PurePath(image.name).suffix.lower() in (*images.SUFFIXES, *UNREAD_SUFFIXES)
        known = isinstance(image.data, bytes) and images.suffix(image.data) != ""
        return not (self.listed or named or known)


class EncodedSource(Source):
    """A source whose images have to be decoded or resized: it names them, this class decodes them."""

    @abstractmethod
    def identity(self) -> dict[str, Any]:
        """JSON values that change whenever the images could have changed; quick to find."""

    @abstractmethod
    def open(self) -> Encoded:
        """The classes, counts and encoded images."""

    def encoded(self, row: int) -> bytes | None:
        """The bytes of the file of image `row`; None where images are no files of their own."""
        return None

    def file(self, row: int) -> str | None:
        """The name of the file of image `row`; None where images are no files of their own."""
        return None

    def load(self, shape: Shape, skip_bad: bool = False) -> Loaded:
        """All images, from the cache where it holds them, else decoded into it.

        Raises:
            InputError: an image can't be decoded (it is named), or the cache can't be written.
        """
        key = {"source": self.identity(), "shape": list(shape), "decode_version": DECODE_VERSION}
        found = cache.read(key)
        if found is None:
            opened = self.open()
            if opened.problems:
                raise InputError(opened.problems[0])
            with cache.write(key, opened.train, opened.test, opened.class_names, opened.notes, shape) as writer:
                _decode_all(opened, shape, writer, skip_bad)
            found = cache.read(key)
            if found is None:
                raise InputError(f"the decoded images in {cache.entry(key)} changed while they were written: again.")
        damaged = [bad for bad in found.bad if not bad.stray]
        if damaged and not skip_bad:
            raise InputError(_refusal(damaged[0].reason))
        whole = labelled(found.images, found.labels, Origin(self, np.arange(len(found.labels))))
        good = np.flatnonzero(found.labels >= 0)
        test = whole.view(good[good >= found.train]) if len(found.labels) > found.train else None
        return Loaded(whole.view(good[good < found.train]), test, found.class_names, found.bad, found.notes)


def pixels(image: EncodedImage, shape: Shape) -> np.ndarray:
    """The image brought to `shape` by tkit's rule: uint8 [H, W, C].

    Raises:
        InputError: it can't be read, with its name.
    """
    data = image.data
    if isinstance(data, InputError):
        raise data
    if isinstance(data, np.ndarray):
        if data.shape == shape.array:
            return data
        data = images.encode_png(data)  # through the one implementation of the rule
    return images.decode(data, *shape, name=image.name)


def out_of_range(image: EncodedImage, opened: Encoded) -> str:
    """The message for a label that is no class."""
    return f"{image.name} has label {image.label}; expected 0 to {len(opened.class_names) - 1}, one for each class."


def _refusal(reason: str) -> str:
    return f"{reason} {SKIP_HINT}"


def _decode_all(opened: Encoded, shape: Shape, writer: cache.Writer, skip_bad: bool) -> None:
    total = opened.train + opened.test

    def decode(image: EncodedImage) -> np.ndarray | Bad:
        try:
            return pixels(image, shape)
        except InputError as error:
            stray = opened.stray(image)
            if not (skip_bad or stray):
                raise InputError(_refusal(str(error))) from error
            return Bad(image.name, str(error), stray)

    with progress("decoding images", total) as advance:
        for image, result in in_threads(decode, opened.images):
            if not 0 <= image.label < len(opened.class_names):
                raise InputError(out_of_range(image, opened))
            if isinstance(result, Bad):
                writer.put_bad(image.row, result)
            else:
                writer.put(image.row, result, image.label)
            advance(1)
    missing = int((writer.labels < 0).sum()) - len(writer.bad)
    if missing:
        raise InputError(f"the source announced {total} images and gave {total - missing}: it is damaged or changing.")


def in_threads(
    work: Callable[[EncodedImage], Result], images: Iterator[EncodedImage]
) -> Iterator[tuple[EncodedImage, Result]]:
    """Each image with what `work` makes of it, in order, by a pool of threads; few are held at a time."""
    threads = os.cpu_count() or 1

    def do(task: list[EncodedImage]) -> list[tuple[EncodedImage, Result]]:
        return [(image, work(image)) for image in task]

    with ThreadPoolExecutor(threads) as pool:
        running: deque = deque()
        try:
            for task in _tasks(images):
                running.append(pool.submit(do, task))
                if len(running) > 2 * threads:
                    yield from running.popleft().result()
            while running:
                yield from running.popleft().result()
        finally:
            pool.shutdown(cancel_futures=True)


def _tasks(images: Iterator[EncodedImage]) -> Iterator[list[EncodedImage]]:
    task: list[EncodedImage] = []
    size = 0
    for image in images:
        task.append(image)
        data = image.data
        size += data.nbytes if isinstance(data, np.ndarray) else len(data) if isinstance(data, bytes) else 0
        if len(task) == TASK_IMAGES or size > TASK_BYTES:
            yield task
            task, size = [], 0
    if task:
        yield task
