"""Reading JSON whose author isn't trusted: limited in size and depth, every key once, numbers that are numbers."""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tkit_edge import files
from tkit_edge.errors import InputError

MAX_DEPTH = 100
MAX_CONTAINERS = 2**20  # objects and lists: the parts of JSON that take far more memory than text
MAX_KEY = 1000  # characters
_SHOWN = 60  # characters of what came, in a message


def read_json(path: Path, limit: int, *, finite: bool = True) -> Any:
    """The JSON document in a file.

    Args:
        path: the file.
        limit: the bytes that it may have.
        finite: refuse NaN and infinities, which JSON proper doesn't have.

    Raises:
        InputError: a file that can't be read or is larger, or what `parse_json` refuses.
    """
    return parse_json(files.read_bytes(path, limit), str(path), finite=finite)


def parse_json(data: bytes, name: str, *, finite: bool = True) -> Any:
    """The JSON document in UTF-8 bytes; `name` is what error messages call them.

    Raises:
        InputError: no JSON, nested deeper than `MAX_DEPTH`, more than `MAX_CONTAINERS` objects and lists, a key that
            occurs twice or can't be printed, a whole number past 64 bits, a text with half a character or a NUL in it;
            with the key.
    """
    if data.count(b"[") + data.count(b"{") > MAX_CONTAINERS:
        raise InputError(f"{name} has more than {MAX_CONTAINERS:,} objects and lists.")
    try:
        value = json.loads(data.decode("utf-8"), object_pairs_hook=_object, parse_int=_integer)
    except (ValueError, RecursionError) as error:
        raise InputError(f"{name} is not valid JSON: {error}") from error
    for place, problem in _problems(value, finite):
        where = ".".join(map(str, place))
        where = f"{where[:_SHOWN]}..." if len(where) > _SHOWN else where
        raise InputError(f"{name}: {where if where.isprintable() else repr(where)}: {problem}.")
    return value


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    made = dict(pairs)
    if len(made) != len(pairs):
        [(twice, _)] = Counter(key for key, _ in pairs).most_common(1)
        raise ValueError(f"the key {twice[:_SHOWN]!r} occurs twice")
    return made


def _integer(text: str) -> int | float:
    return int(text) if len(text) <= 20 else math.copysign(math.inf, -1 if text[0] == "-" else 1)


def _problems(value: Any, finite: bool) -> Iterator[tuple[tuple[str | int, ...], str]]:
    """What is wrong, with the keys that lead there; not recursive, because depth is one of the things checked."""
    waiting: list[tuple[Any, tuple[str | int, ...]]] = [(value, ())] if isinstance(value, (dict, list)) else []
    while waiting:
        container, place = waiting.pop()
        if len(place) > MAX_DEPTH:
            yield place, f"expected at most {MAX_DEPTH} levels, received more"
        for key, item in container.items() if isinstance(container, dict) else enumerate(container):
            here = (*place, key)
            if isinstance(key, str) and (len(key) > MAX_KEY or not key.isprintable()):
                yield here, f"expected a key of at most {MAX_KEY} printable characters"
            if isinstance(item, (dict, list)):
                waiting.append((item, here))
            elif isinstance(item, str):
                if "\0" in item or (not item.isascii() and any("\ud800" <= letter <= "\udfff" for letter in item)):
                    yield here, "expected text, received a NUL or half a character in it"
            elif isinstance(item, float):
                if finite and not math.isfinite(item):
                    yield here, f"expected a finite number, received {item}"
            elif isinstance(item, int) and not -(2**63) <= item < 2**63:
                yield here, f"expected a whole number of 64 bits, received {item}"
