"""How a tree of images, or of texts, is read: one folder a class, with or without splits above (`split_names`).

The same rules for a folder and for an archive:
- Hidden names (a leading dot), `__MACOSX`, `Thumbs.db` and `desktop.ini` are skipped.
- Every other file below a class folder, however deep, is an image of that class. Files above the class folders
  (a README, a list of labels) are skipped.
- One folder that wraps everything else is looked through.
- Classes and images are ordered by name, as plain text: Keras's loader does so, and a model that was trained through it
  has its outputs in that order.
- Without test images, a validation folder is the test split; beside a test folder its images are training images. Texts
  of a validation folder stay apart (`keeps_validation`): published sets choose by them.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from tkit_edge.errors import InputError
from tkit_pipelines import split_names
from tkit_pipelines.class_names import ordered

IGNORED = {"__macosx", "thumbs.db", "desktop.ini"}  # compared in lower case
_EXPECTED = "Expected one folder a class with its {} inside, or such folders under train/ and test/."

Classes = dict[str, list[str]]
"""By class name, its files' names."""


@dataclass(frozen=True)
class Layout:
    """Which file is which image; indices count the training images first, then the test ones."""

    class_names: tuple[str, ...]
    train: int
    test: int
    places: dict[str, tuple[int, int]]
    """File name -> (index, label)."""
    problems: tuple[str, ...]
    """Why nothing can be trained on this, each as an error's whole message; empty where all is well."""
    notes: tuple[str, ...] = ()
    """What a person should know of how it was read."""
    validation: int = 0
    """How many of the training files, the last ones, are from a validation folder."""


def read_layout(
    files: Iterable[str], folders: Iterable[str], where: str, what: str = "images", keeps_validation: bool = False
) -> Layout:
    """The layout of a tree, from the /-separated relative names of its files and folders.

    An empty class, one class alone and splits with different classes are `problems` of the layout.

    Args:
        files: those that count.
        folders: all of them.
        where: what messages call the tree.
        what: what messages call the files.
        keeps_validation: Put the files of a validation folder after the other training files, not among them.

    Raises:
        InputError: no classes at all, or names that contradict each other.
    """
    tree = _unwrapped(_tree(files, folders, where))
    problems: list[str] = []
    notes: list[str] = []
    chosen = _splits(tree)
    validation: Classes = {}
    if chosen is None:
        train, test = _classes(tree, where, what, problems), None
    else:
        train, validation, test = _parts(tree, chosen, where, what, problems, notes)
        if validation and not keeps_validation:
            notes.append(
                f"the {what} of {chosen.validation}/ join those of {chosen.train}/, of which data.validation is held "
                "out"
            )
            train = {key: [*train.get(key, ()), *validation.get(key, ())] for key in sorted({*train, *validation})}
            validation = {}
    class_names = sorted({*train, *(test or ())})
    if tuple(class_names) != ordered(class_names)[1]:
        notes.append(
            f"the classes are in the order of their folders' names as text, as Keras's loader has them: "
            f"{_listed(class_names)}; a table (.csv) orders numbers as numbers"
        )
    if len(class_names) == 1:
        problems.append(
            f"{where}: only one class, {class_names[0]!r}, at least two are needed. {_EXPECTED.format(what)}"
        )
    order = [
        (name, label)
        for part in (train, validation, test or {})
        for label, key in enumerate(class_names)
        for name in part.get(key, ())
    ]
    places = {name: (index, label) for index, (name, label) in enumerate(order)}
    held = sum(map(len, validation.values()))
    count = sum(map(len, train.values())) + held
    return Layout(tuple(class_names), count, len(order) - count, places, tuple(problems), tuple(notes), held)


def unlabelled_layout(files: Iterable[str], folders: Iterable[str], where: str, what: str = "images") -> Layout:
    """The layout of a tree whose folders are no classes: every file, however deep, is an image, all of one class.

    Splits are found as in a tree of classes; folders beside them are left out.

    Raises:
        InputError: no files at all, or names that contradict each other.
    """
    tree = _tree(files, folders, where)
    while len(tree) == len(_folders(tree)) == 1:
        [tree] = tree.values()
    inner = _folders(tree)
    chosen = split_names.choose(inner, inner)
    train, test, notes, held = sorted(_files(tree)), list[str](), list[str](), 0
    if chosen is not None and (chosen.test or chosen.validation):
        parts = {name: sorted(_files(node)) for name, node in inner.items()}
        validation = parts.get(chosen.validation or "", [])
        test = parts[chosen.test] if chosen.test else validation
        train = parts[chosen.train] + (validation if chosen.test else [])
        held = len(validation) if chosen.test else 0
        notes = [f"{name}/ is left out: it is no split" for name in sorted(parts.keys() - set(chosen))]
    if not train:
        raise InputError(f"{where}: no {what} found.")
    places = {name: (index, 0) for index, name in enumerate([*train, *test])}
    return Layout(("",), len(train), len(test), places, (), tuple(notes), held)


def _tree(files: Iterable[str], folders: Iterable[str], where: str) -> dict:
    """Folders as dicts by name, files as their whole names."""
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
    return tree


def _folders(tree: dict) -> dict[str, dict]:
    return {name: node for name, node in tree.items() if isinstance(node, dict)}


def _unwrapped(tree: dict) -> dict:
    """The tree below the folders that hold nothing but one folder of folders."""
    while len(_folders(tree)) == 1 and _splits(tree) is None:
        [inner] = _folders(tree).values()
        if not _folders(inner):
            break
        tree = inner
    return tree


def _splits(tree: dict) -> split_names.Chosen | None:
    """Which folders are splits; a folder called `train` that holds images is a class."""
    folders = _folders(tree)
    return split_names.choose(folders, {name for name, node in folders.items() if _folders(node)})


def _parts(
    tree: dict, chosen: split_names.Chosen, where: str, what: str, problems: list[str], notes: list[str]
) -> tuple[Classes, Classes, Classes | None]:
    """The classes of the training split, of a validation split that isn't the test split, and of the test split."""
    folders = {name: _unwrapped(node) for name, node in _folders(tree).items()}
    train = _classes(folders[chosen.train], f"{where}: {chosen.train}/", what, problems)
    # Images to be classified often lie in a test/ of their own, in no class folders.
    labelled = {
        name: node for name, node in folders.items() if len(_folders(node)) > 1 or _folders(node).keys() & train
    }
    notes += [f"{name}/ is left out: its {what} are in no class folders" for name in sorted(folders.keys() - labelled)]
    others = sorted(labelled.keys() - set(chosen))
    if others:
        problems.append(
            f"{where}: found {others[0]!r} beside {chosen.train!r}, which looks like a training split. "
            f"{_EXPECTED.format(what)} Move {others[0]!r} away, or rename it to test/ if it is what to measure on."
        )
    test, validation = (
        _classes(labelled[name], f"{where}: {name}/", what, problems) if name in labelled else None
        for name in chosen[1:]
    )
    measured = chosen.test
    if validation is not None and test is None:
        test, measured = validation, chosen.validation
        notes.append(f"{measured}/ is the test split; validation {what} are held out of {chosen.train}/")
    for name, part in ((measured, test), (chosen.validation, validation)):
        odd = sorted(train.keys() ^ part.keys()) if part is not None else []
        if odd and part is not None and (part is test or part.keys() - train.keys()):
            problems.append(
                f"{where}: {chosen.train}/ and {name}/ must have the same class folders; only one of them has "
                f"{', '.join(map(repr, odd[:5]))}{' ...' if len(odd) > 5 else ''}. Rename, add or remove folders."
            )
    return train, validation if validation is not None and validation is not test else {}, test


def _classes(tree: dict, where: str, what: str, problems: list[str]) -> Classes:
    """Class name -> its files' names, both sorted."""
    classes = {name: sorted(_files(node)) for name, node in sorted(_folders(tree).items())}
    if not classes:
        raise InputError(f"{where}: no class folders found. {_EXPECTED.format(what)}")
    inner = [set(_folders(node)) for node in _folders(tree).values()]
    bare = all(len(_folders(node)) == len(node) for node in _folders(tree).values())
    if len(inner) > 1 and len(inner[0]) > 1 and bare and all(names == inner[0] for names in inner):
        problems.append(
            f"{where}: the folders {_listed(classes)} all hold the same folders, {_listed(sorted(inner[0]))}, and no "
            f"{what} beside them, so which of the two are the classes can't be told. Where the inner ones are, call "
            f"the outer ones train/ and test/; where the outer ones are, put the {what} of each into one folder."
        )
    for name, names in classes.items():
        if not names:
            problems.append(f"{where}: class {name!r} has no {what}. Add some, or remove the folder.")
    return classes


def _files(tree: dict) -> Iterable[str]:
    for node in tree.values():
        if isinstance(node, dict):
            yield from _files(node)
        else:
            yield node


def _listed(names: Iterable[str]) -> str:
    """Names for a message, the first few of them."""
    shown = list(map(repr, names))
    return ", ".join(shown if len(shown) <= 5 else [*shown[:5], "..."])
