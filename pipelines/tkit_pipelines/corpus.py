"""Texts and their labels as a data set: what `read_corpus` makes of what a user typed after `--data`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from tkit_edge.errors import InputError
from tkit_edge.text import counted
from tkit_pipelines import class_names
from tkit_pipelines.dataset import Bad
from tkit_pipelines.resolve import resolve_texts
from tkit_pipelines.split_names import SPLITS
from tkit_pipelines.text_source import MAX_CHARACTERS, Records, Wanted

_SHOWN = 5
"""Places that an error names."""


@dataclass(frozen=True)
class Corpus:
    """Texts, those for training first, then those for testing, if the source has some."""

    texts: Sequence[str]
    """As they were written, but for line ends (`\\n`, none at the end) and lone surrogates (U+FFFD)."""
    labels: np.ndarray | None
    """int32 [n] indices into `class_names`, or float32 [n] numbers; None without labels."""
    train: int
    """How many texts are for training; the others are the source's own test part."""
    validation: int
    """How many of the training texts, the last ones, are the source's own validation part; 0: it has none."""
    class_names: tuple[str, ...]
    """What labels count; empty where they are no classes."""
    places: Sequence[str]
    """Where each text came from: "train.tsv line 12", "pos/0001.txt"."""
    skipped: tuple[Bad, ...] = ()
    """What was left out with `skip_bad`."""
    notes: tuple[str, ...] = ()
    """How the source was read, where that could have been otherwise."""
    problems: tuple[str, ...] = ()
    """Why nothing can be trained on this, each as an error's whole message; empty unless it was read unchecked."""


def read_corpus(
    source: str,
    *,
    labels: Literal["classes", "numbers", "none"] = "classes",
    text: str | None = None,
    label: str | None = None,
    skip_bad: bool = False,
    checked: bool = True,
) -> Corpus:
    """The texts of a file, a folder or a named source.

    Args:
        source: as `Texts.source`.
        labels: what labels are; `none` ignores them.
        text: the column that holds the texts; None: found by its name, or by its content.
        label: the column that holds the labels; None: likewise.
        skip_bad: Leave out texts that are empty or lack a label, instead of raising.
        checked: Raise where classes can't be trained on as they are; otherwise that is in `Corpus.problems`.

    Raises:
        InputError: the source can't be read, or its texts or labels can't be used.

    Example:
        >>> corpus = read_corpus("sentences")
        >>> corpus.class_names
        ('cooking', 'travel', 'weather')
    """
    found = resolve_texts(source).read(Wanted(text, label, labels != "none", skip_bad))
    where = f"data {source!r}"
    notes = list(found.notes)
    train, validation, test = _parts(found, notes)
    cleaned = [_cleaned(written) for written in found.texts]
    bad = _bad(found, cleaned, np.concatenate([train, validation, test]), where)
    if bad and not skip_bad:
        raise _refusal(found, bad, where)
    train, validation, test = (part[~np.isin(part, list(bad))] for part in (train, validation, test))
    if not len(train):
        raise InputError(f"{where} has no training texts.")
    rows = np.concatenate([train, validation, test])
    values: np.ndarray | None = None
    names: tuple[str, ...] = ()
    problems = found.problems
    if labels == "classes":
        values, names = _classes(found, rows)
        problems = problems or _unseen(found, values, len(train), validation, test, where)
    elif labels == "numbers":
        values = _numbers(found, rows, where)
    if problems and checked:
        raise InputError(problems[0])
    return Corpus(
        texts=[cleaned[row] for row in rows],
        labels=values,
        train=len(train) + len(validation),
        validation=len(validation),
        class_names=names,
        places=found.places.take(rows),
        skipped=(*found.skipped, *(Bad(found.places[row], f"{found.places[row]}: {bad[row]}") for row in sorted(bad))),
        notes=tuple(notes),
        problems=problems,
    )


def _parts(found: Records, notes: list[str]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The rows for training, for validation beside a test part, and for testing."""
    splits = np.array(found.splits)
    train, validation, test = (np.flatnonzero(splits == split) for split in SPLITS)
    if len(test) and found.labels is not None and not any(found.labels[row] for row in test):
        notes.append(f"the test part ({counted(len(test), 'text')}) is left out: it has no labels")
        test = test[:0]
    if len(validation) and not len(test):
        notes.append(
            f"the validation part ({counted(len(validation), 'text')}) is the test split; validation texts are held "
            "out of the training texts"
        )
        return train, test, validation
    if len(validation):
        notes.append(
            f"the source's own validation part ({counted(len(validation), 'text')}) is the validation split: "
            "data.validation holds out no others"
        )
    return train, validation, test


def _cleaned(text: str) -> str:
    """A text with `\\n` for line ends, none at its end, and U+FFFD for lone surrogates, which no UTF-8 can hold."""
    if "\r" in text:
        text = text.replace("\r\n", "\n").replace("\r", "\n")
    text = text.rstrip("\n")
    try:
        text.encode()
    except UnicodeEncodeError:
        text = text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return text


def _bad(found: Records, texts: list[str], rows: np.ndarray, where: str) -> dict[int, str]:
    """The rows that can't be used, and why.

    Raises:
        InputError: a text is too long.
    """
    missing = _missing(found.labels, rows)
    bad = {}
    for row in rows:
        if len(texts[row]) > MAX_CHARACTERS:
            raise InputError(
                f"{where}: {found.places[row]}: the text has {len(texts[row]):,} characters; the most is "
                f"{MAX_CHARACTERS:,}. Shorten or split it."
            )
        if not texts[row].strip():
            bad[int(row)] = "empty text"
        elif found.labels is not None and found.labels[row] in missing:
            bad[int(row)] = "missing label"
    return bad


def _missing(labels: list[str] | None, rows: np.ndarray) -> set[str]:
    """The labels that mean that there is none: of numbers also what pandas writes."""
    occurring = {labels[row] for row in rows} if labels is not None else set()
    odd = {label for label in occurring if label.lower() in class_names.MISSING}
    others = occurring - odd - {""}
    return {"", *odd} if others and all(map(class_names.is_number, others)) else {""}


def _refusal(found: Records, bad: dict[int, str], where: str) -> InputError:
    """The error for the texts that can't be used for the reason that comes first."""
    reason = bad[min(bad)]
    rows = [row for row in sorted(bad) if bad[row] == reason]
    shown = ", ".join(found.places[row] for row in rows[:_SHOWN]) + (" ..." if len(rows) > _SHOWN else "")
    return InputError(
        f"{where}: {reason}: {shown} ({len(rows):,} in all). Mend or remove them, or go on without them: "
        "--skip-bad (data.skip_bad=true)."
    )


def _classes(found: Records, rows: np.ndarray) -> tuple[np.ndarray, tuple[str, ...]]:
    """The class of each text, and the classes' names in order."""
    assert found.labels is not None
    labels = [found.labels[row] for row in rows]
    if found.class_names is None:
        index, names = class_names.ordered(labels)
    else:
        index, names = {name: at for at, name in enumerate(found.class_names)}, found.class_names
    return np.array([index[label] for label in labels], np.int32), names


def _unseen(
    found: Records, classes: np.ndarray, train: int, validation: np.ndarray, test: np.ndarray, where: str
) -> tuple[str, ...]:
    """A message for each part that has labels which none of the training texts, the first `train`, has."""
    assert found.labels is not None
    problems, start = list[str](), train
    for what, part in (("validation", validation), ("test", test)):
        unseen = part[~np.isin(classes[start : start + len(part)], classes[:train])]
        start += len(part)
        if len(unseen):
            odd = sorted({found.labels[row] for row in unseen})
            problems.append(
                f"{where}: the {what} texts have labels that no training text has: "
                f"{', '.join(map(repr, odd[:_SHOWN]))}{' ...' if len(odd) > _SHOWN else ''} (the first: "
                f"{found.places[unseen[0]]}). Mend them, or move some of these texts to the training ones."
            )
    return tuple(problems)


def _numbers(found: Records, rows: np.ndarray, where: str) -> np.ndarray:
    """The number that each text's label means."""
    assert found.labels is not None
    for row in rows:
        label = found.labels[row]
        if not (class_names.is_number(label) and np.isfinite(np.float32(label))):
            raise InputError(
                f"{where}: {found.places[row]}: the label {label!r} is no number, as data.labels=numbers expects. "
                "Mend it, or set data.labels=classes."
            )
    return np.array([found.labels[row] for row in rows], np.float32)
