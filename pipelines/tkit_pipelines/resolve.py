"""From what a user typed after `--data` to the source that reads it."""

from __future__ import annotations

import hashlib
import importlib
import inspect
import os
import pkgutil
from contextlib import suppress
from functools import cache
from pathlib import Path

from tkit_edge.errors import InputError
from tkit_pipelines import sources
from tkit_pipelines.config import did_you_mean
from tkit_pipelines.source import NamedSource, PathSource, Source


def resolve(text: str) -> Source:
    """The source for a name (`digits`, `synthetic:5`, `tfds:cifar10`) or a path to a folder or archive.

    A name wins over a file that happens to be called the same; write `./digits` for the file.

    Raises:
        InputError: neither a known name nor a path that can be read as images.

    Example:
        >>> resolve("digits").load(Shape(8, 8, 1)).class_names
        ('0', '1', '2', '3', '4', '5', '6', '7', '8', '9')
    """
    named, path_sources = _table()
    name, _, argument = text.partition(":")
    if name in named:
        return named[name].from_argument(argument)
    path = Path(text).expanduser()
    if text and path.exists():
        for source in path_sources:
            if source.reads(path):
                return source.from_path(path)
        kinds = ", ".join(source.usage for source in path_sources)
        raise InputError(f"data {text!r} is none of the files tkit reads. Expected: {kinds}.")
    known = [source.usage for source in named.values()]
    if "/" in text or "\\" in text or path.suffix:
        raise InputError(
            f"data {text!r}: there is no such file or folder (looked in {Path.cwd()}). "
            f"Give the path of one that exists, or a name: {', '.join(known)}."
        )
    raise InputError(f"data {text!r} is neither a known name nor an existing path.{did_you_mean(text, known)}")


def located(text: str) -> str:
    """What was typed after `--data` with its path made absolute, so that it means the same wherever it is read."""
    named, _ = _table()
    return text if not text or text.partition(":")[0] in named else str(Path(text).expanduser().absolute())


def stamp(text: str) -> str | None:
    """Changes when a file below the path that was typed after `--data` does; None for a name."""
    path = Path(located(text))
    if text.partition(":")[0] in _table()[0] or not path.exists():
        return None
    files = [path] if path.is_file() else [Path(top) / name for top, _, names in os.walk(path) for name in names]
    found = hashlib.sha256()
    for file in sorted(files):
        with suppress(OSError):  # a dangling link, which the source will name
            state = file.stat()
            found.update(f"{file}\0{state.st_size}\0{state.st_mtime_ns}\n".encode(errors="surrogateescape"))
    return found.hexdigest()


@cache
def _table() -> tuple[dict[str, type[NamedSource]], list[type[PathSource]]]:
    """The named sources by name, and the path sources, from the files of `sources/`."""
    named: dict[str, type[NamedSource]] = {}
    paths: list[type[PathSource]] = []
    for info in pkgutil.iter_modules(sources.__path__):
        module = importlib.import_module(f"{sources.__name__}.{info.name}")
        for value in vars(module).values():
            if not inspect.isclass(value) or value.__module__ != module.__name__:
                continue
            if issubclass(value, NamedSource):
                named[info.name] = value
            elif issubclass(value, PathSource):
                paths.append(value)
    return named, paths
