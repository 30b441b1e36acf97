"""Which split a name means, in any case and common spelling: `Training`, `test_set`, `VAL`, `seg_train`, `val2017`."""

from __future__ import annotations

import re
from collections.abc import Collection
from typing import Literal, NamedTuple

Split = Literal["train", "test", "validation"]
SPLITS: tuple[Split, ...] = ("train", "validation", "test")
_SPELLINGS: dict[str, Split] = {
    **dict.fromkeys(("train", "training", "trainings"), "train"),
    **dict.fromkeys(("test", "testing", "tests", "eval", "evaluation"), "test"),
    **dict.fromkeys(("val", "valid", "validation", "validate", "validating", "dev"), "validation"),
}
COLUMNS = ("split", "set", "subset", "fold", "partition", "usage")
"""What a table calls the column of splits, in lower case."""
_FILLERS = "sets?|data|datasets?|images?|imgs?|images?|photos?|splits?|samples?|folders?|dirs?|files?"
_WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+")
_SPELLED = re.compile(rf"(?:{_FILLERS})*?({'|'.join(sorted(_SPELLINGS, key=len, reverse=True))})(?:{_FILLERS})*")


class Named(NamedTuple):
    """What a name tells."""

    split: Split | None
    rest: tuple[str, ...]
    """Its other words, but for "set", "data", "images" and the like."""


class Chosen(NamedTuple):
    """Which folders are the splits."""

    train: str
    test: str | None
    validation: str | None


def read(name: str) -> Named:
    """The split that a name means; None for one that means none, or several."""
    words = [word.lower() for word in _WORD.findall(name)]
    spelled = [_SPELLED.fullmatch(word) for word in words]
    splits = [match for match in spelled if match]
    if len(splits) != 1:
        return Named(None, ())
    rest = (word for word, match in zip(words, spelled, strict=True) if not match)
    return Named(_SPELLINGS[splits[0][1]], tuple(word for word in rest if not re.fullmatch(_FILLERS, word)))


def choose(names: Collection[str], holding_classes: Collection[str]) -> Chosen | None:
    """The folders that are splits, or None where they are classes.

    A training folder holds class folders, and either its name tells nothing else, or there is a test or validation
    folder whose name tells the same otherwise.

    Args:
        names: folders beside each other.
        holding_classes: those of them that hold folders.
    """
    found = {name: read(name) for name in sorted(names)}
    for name, (split, rest) in found.items():
        others = {other.split: key for key, other in found.items() if key != name and other.rest == rest}
        if split != "train" or name not in holding_classes or not (not rest or {"test", "validation"} & others.keys()):
            continue
        return Chosen(name, others.get("test"), others.get("validation"))
    return None
