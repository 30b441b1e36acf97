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
from types import ModuleType

from tkit_edge.errors import InputError
from tkit_pipelines import sources, text_sources
from tkit_pipelines.config import did_you_mean
from tkit_pipelines.source import FromPath, Named, Source
from tkit_pipelines.text_source import TextSource, images_given


def resolve(text: str) -> Source:
    """The source of images for a name (`digits`, `synthetic:5`, `tfds:cifar10`) or a path to a folder or archive.

    A name wins over a file that happens to be called the same; write `./digits` for the file.

    Raises:
        InputError: neither a known name nor a path that can be read as images.

    Example:
        >>> resolve("digits").load(Shape(8, 8, 1)).class_names
        ('0', '1', '2', '3', '4', '5', '6', '7', '8', '9')
    """
    found = _resolved(text, sources)
    assert isinstance(found, Source)
    return found


def resolve_texts(text: str) -> TextSource:
    """The source of texts for a name (`sentences`, `tfds:imdb_reviews`) or a path to a file or folder; see `resolve`.

    Raises:
        InputError: neither a known name nor a path that can be read as texts, or a name of images.
    """
    if text.partition(":")[0] in _table(sources)[0].keys() - _table(text_sources)[0].keys():
        raise images_given(text)
    found = _resolved(text, text_sources)
    assert isinstance(found, TextSource)
    return found


def located(text: str) -> str:
    """What was typed after `--data` with its path made absolute, so that it means the same wherever it is read."""
    return text if not text or _is_name(text) else str(Path(text).expanduser().absolute())


def stamp(text: str) -> str | None:
    """Changes when a file below the path that was typed after `--data` does; None for a name."""
    path = Path(located(text))
    if _is_name(text) or not path.exists():
        return None
    files = [path] if path.is_file() else [Path(top) / name for top, _, names in os.walk(path) for name in names]
    found = hashlib.sha256()
    for file in sorted(files):
        with suppress(OSError):  # a dangling link, which the source will name
            state = file.stat()
            found.update(f"{file}\0{state.st_size}\0{state.st_mtime_ns}\n".encode(errors="surrogateescape"))
    return found.hexdigest()


def named(name: str) -> set[str]:
    """What the sources that are called `name` hold: "images", "texts", both, or nothing where no source is."""
    return {what for what, package in (("images", sources), ("texts", text_sources)) if name in _table(package)[0]}


def _is_name(text: str) -> bool:
    """Whether a source of any kind is asked for by name."""
    return bool(named(text.partition(":")[0]))


def _resolved(text: str, package: ModuleType) -> Named | FromPath:
    """The source of a package for what was typed."""
    named, path_sources = _table(package)
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


@cache
def _table(package: ModuleType) -> tuple[dict[str, type[Named]], list[type[FromPath]]]:
    """The named sources by name, and the path sources, from the files of `package`."""
    named: dict[str, type[Named]] = {}
    paths: list[type[FromPath]] = []
    for info in pkgutil.iter_modules(package.__path__):
        module = importlib.import_module(f"{package.__name__}.{info.name}")
        for value in vars(module).values():
            if not inspect.isclass(value) or value.__module__ != module.__name__:
                continue
            if issubclass(value, Named):
                named[info.name] = value
            elif issubclass(value, FromPath):
                paths.append(value)
    return named, paths
