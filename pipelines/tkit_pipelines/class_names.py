"""Classes from the labels of a table: numbers in the order of numbers, other text in natural order.

Folders are ordered otherwise, by plain text, as Keras's loader orders them (`layout`).
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable
from decimal import Decimal

_NUMBER = re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)(e[+-]?[0-9]{1,3})?", re.IGNORECASE)
MISSING = {"nan", "na", "n/a", "<na>", "null", "none", "inf", "-inf"}
"""What a column of numbers holds, in lower case, where there is none."""


def is_number(label: str) -> bool:
    """Whether a label is a decimal number."""
    return _NUMBER.fullmatch(label) is not None


def name_of(label: str, numbers: bool) -> str:
    """The class that a label means: in a column of numbers `1.0`, `+1` and `1` are the same class."""
    if not numbers or label.isdigit():
        return label
    value = Decimal(label)
    return str(int(value)) if value == int(value) else format(value.normalize(), "f")


def ordered(labels: Iterable[str]) -> tuple[dict[str, int], tuple[str, ...]]:
    """Each label's class, and the classes' names in order.

    Example:
        >>> ordered({"class 10", "class 2"})[1]
        ('class 2', 'class 10')
        >>> ordered({"10.0", "-1.0", "2"})[1]
        ('-1', '2', '10')
    """
    labels = set(labels)
    numbers = all(map(is_number, labels))
    named = {label: name_of(label, numbers) for label in labels}
    names = set(named.values())
    in_order = sorted(names, key=lambda name: (Decimal(name), name)) if numbers else sorted(names, key=_natural)
    index = {name: number for number, name in enumerate(in_order)}
    return {label: index[name] for label, name in named.items()}, tuple(in_order)


def lookalikes(names: Collection[str]) -> list[str]:
    """A remark for each group of classes whose names differ by case alone."""
    alike: dict[str, list[str]] = {}
    for name in names:
        alike.setdefault(name.casefold(), []).append(name)
    return [
        f"classes {' and '.join(map(repr, group))} differ by case alone and are kept apart: give them one name where "
        "they are one class"
        for group in alike.values()
        if len(group) > 1
    ]


def _natural(name: str) -> list[tuple[int, str]]:
    """Alternating text and numbers, each compared by its own order; the name itself breaks ties."""
    parts = re.split(r"([0-9]+)", name)
    return [(int(part), "") if number % 2 else (0, part) for number, part in enumerate(parts)] + [(0, name)]
