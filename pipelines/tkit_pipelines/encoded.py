"""Sources of encoded pictures (JPEG, PNG ...): decoded by a pool of threads, once, into the cache on disk."""

from __future__ import annotations

import os
from abc import abstractmethod
from collections import deque
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from tkit_edge import images
from tkit_edge.errors import InputError
from tkit_pipelines import cache
from tkit_pipelines.progress import progress
from tkit_pipelines.source import Loaded, Shape, Source

# Part of every cache key: raise it when decoding or resizing gives other pixels, or when an entry's form
# changes.
DECODE_VERSION = 1
# A task for a thread: enough pictures that handing it over costs nothing, few enough bytes to hold several.
TASK_PICTURES, TASK_BYTES = 64, 8 << 20


class Picture(NamedTuple):
    """One picture as it lies in the source."""

    row: int
    """Its place: training pictures first, then test pictures."""
    name: str
    label: int
    data: bytes


@dataclass(frozen=True)
class Encoded:
    """An opened source; `pictures` gives each of the `train + test` pictures once, in any order."""

    train: int
    test: int
    class_names: tuple[str, ...]
    pictures: Iterator[Picture]


class EncodedSource(Source):
    """A source whose pictures have to be decoded: it says what they are, this class decodes them."""

    @abstractmethod
    def identity(self) -> dict[str, Any]:
        """JSON values that change whenever the pictures could have changed; quick to find."""

    @abstractmethod
    def open(self) -> Encoded:
        """The classes, counts and encoded pictures."""

    def load(self, shape: Shape) -> Loaded:
        """All pictures, from the cache where it holds them, else decoded into it.

        Raises:
            InputError: a picture can't be decoded (it is named), or the cache can't be written.
        """
        key = {"source": self.identity(), "shape": list(shape), "decode_version": DECODE_VERSION}
        loaded = cache.read(key)
        if loaded is None:
            encoded = self.open()
            with cache.write(key, encoded.train, encoded.test, encoded.class_names, shape) as writer:
                _decode_all(encoded, shape, writer)
            loaded = cache.read(key)
            if loaded is None:
                raise InputError(f"the decoded pictures in {cache.entry(key)} changed while they were written: again.")
        return loaded


def _decode_all(encoded: Encoded, shape: Shape, writer: cache.Writer) -> None:
    threads = os.cpu_count() or 1
    total = encoded.train + encoded.test

    def decode(task: list[Picture]) -> list[tuple[Picture, np.ndarray]]:
        return [(picture, images.decode(picture.data, *shape, name=picture.name)) for picture in task]

    with progress("decoding pictures", total) as advance, ThreadPoolExecutor(threads) as pool:
        running: deque = deque()

        def store() -> None:
            results = running.popleft().result()
            for picture, image in results:
                writer.put(picture.row, image, picture.label)
            advance(len(results))

        try:
            for task in _tasks(encoded.pictures):
                running.append(pool.submit(decode, task))
                if len(running) > 2 * threads:
                    store()
            while running:
                store()
        finally:
            pool.shutdown(cancel_futures=True)
    missing = int((writer.labels < 0).sum())
    if missing:
        raise InputError(
            f"the source announced {total} pictures and gave {total - missing}: it is damaged or changing."
        )


def _tasks(pictures: Iterator[Picture]) -> Iterator[list[Picture]]:
    task: list[Picture] = []
    size = 0
    for picture in pictures:
        task.append(picture)
        size += len(picture.data)
        if len(task) == TASK_PICTURES or size > TASK_BYTES:
            yield task
            task, size = [], 0
    if task:
        yield task
