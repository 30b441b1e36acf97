"""How a tree of pictures is read: one folder a class, with or without `train/` and `test/` above.

The same rules for a folder and for an archive:
- Hidden names (a leading dot), `__MACOSX`, `Thumbs.db` and `desktop.ini` are passed over.
- Every other file below a class folder, however deep, is a picture of that class. Files above the class
  folders
  (a README, a list of labels) are passed over.
- One folder that wraps everything else is looked through.
- Classes and pictures are ordered by name.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from tkit_edge.errors import InputError

IGNORED = {"__macosx", "thumbs.db", "desktop.ini"}  # compared in lower case
EXPECTED = "Expected one folder a class with its pictures inside, or such folders under train/ and test/."


@dataclass(frozen=True)
class Layout:
    """Which file is which picture; indices count the training pictures first, then the test ones."""

    class_names: tuple[str, ...]
    train: int
    test: int
    places: dict[str, tuple[int, int]]
    """File name -> (index, label)."""
    problems: tuple[str, ...]
    """Why nothing can be trained on this, each as an error's whole message; empty where all is well."""


def read_layout(files: Iterable[str], folders: Iterable[str], where: str) -> Layout:
    """The layout of a tree, from the /-separated relative names of its files and folders.

    An empty class, one class alone and train/ and test/ with different classes are `problems` of the layout.

    Raises:
        InputError: no classes at all, or names that contradict each other.
    """
    tree: dict = {}
    for name, is_file in [*((name, True) for name in files), *((name, False) for name in folders)]:
        parts = [part for part in name.split("/") if part not in ("", ".")]
        if any(part.startswith(".") or part.lower() in IGNORED for part in parts):
            continue
        node = tree
        for part in parts[:-1] if is_file else parts:
            node = node.setdefault(part, {})
            if not isinstance(node, dict):
                raise InputError(f"{where}: {name!r} lies in something that is also a file. Pack it again.")
        if is_file and node.setdefault(parts[-1], name) != name:
            raise InputError(f"{where}: two entries are called {name!r}. Pack it again.")
    while len(_folders(tree)) == 1 and not _is_split(tree):
        [inner] = _folders(tree).values()
        if not _folders(inner):
            break
        tree = inner

    problems: list[str] = []
    if not _is_split(tree):
        train, test = _classes(tree, where, problems), None
    else:
        others = sorted(set(_folders(tree)) - {"train", "test"})
        if others:
            problems.append(
                f"{where}: found {others[0]!r} beside train/. {EXPECTED} tkit splits validation pictures off "
                f"train/: move {others[0]!r} away, or rename it to test/ if it is what to measure on."
            )
        train = _classes(tree["train"], f"{where}: train/", problems)
        test = _classes(tree["test"], f"{where}: test/", problems) if "test" in tree else None
        odd = sorted(set(train) ^ set(train if test is None else test))
        if odd:
            problems.append(
                f"{where}: train/ and test/ must have the same class folders; only one of them has "
                f"{', '.join(map(repr, odd[:5]))}{' ...' if len(odd) > 5 else ''}. "
                "Rename, add or remove folders."
            )
    class_names = sorted({*train, *(test or ())})
    if len(class_names) == 1:
        problems.append(f"{where}: only one class, {class_names[0]!r}, at least two are needed. {EXPECTED}")
    order = [
        (name, label)
        for part in (train, test or {})
        for label, key in enumerate(class_names)
        for name in part.get(key, ())
    ]
    places = {name: (index, label) for index, (name, label) in enumerate(order)}
    count = sum(map(len, train.values()))
    return Layout(tuple(class_names), count, len(order) - count, places, tuple(problems))


def _folders(tree: dict) -> dict[str, dict]:
    return {name: node for name, node in tree.items() if isinstance(node, dict)}


def _is_split(tree: dict) -> bool:
    """Whether `tree` holds train/ with class folders; a `train` with pictures is a class."""
    return bool(_folders(_folders(tree).get("train", {})))


def _classes(tree: dict, where: str, problems: list[str]) -> dict[str, list[str]]:
    """Class name -> its files' names, both sorted."""
    classes = {name: sorted(_files(node)) for name, node in sorted(_folders(tree).items())}
    if not classes:
        raise InputError(f"{where}: no class folders found. {EXPECTED}")
    for name, names in classes.items():
        if not names:
            problems.append(f"{where}: class {name!r} has no pictures. Add some, or remove the folder.")
    return classes


def _files(tree: dict) -> Iterable[str]:
    for node in tree.values():
        if isinstance(node, dict):
            yield from _files(node)
        else:
            yield node
