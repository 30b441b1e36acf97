"""Damage that is made on purpose: mutants of .tflite files and of JSON documents."""

from __future__ import annotations

import json
import random
import struct
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

_MARK = "@mark@"
_TYPES = (None, True, 0, -1, 1.5, "", "text", "é\n\x1b[2J", [], {}, [1], {"a": 1}, [[]], [None, "x"])
_NUMBERS = (
    *("NaN", "-Infinity", "1e999", "1e-320", "-1", "0", "-0.0", "2147483648", "9223372036854775807"),
    *("9223372036854775808", "1" + "0" * 400, "1" + "0" * 100_000),
)
_DEPTHS = (50, 99, 101, 1000, 100_000)
PATHS = (
    *("../x", "../../x", "/etc/passwd", "/dev/zero", "/proc/self/mem", "..", ".", "", "a/../../x", "float/../x"),
    *("a\0b", "x" * 300, "x/" * 3000, "C:\\x", "..\\x", "~/x", "\ud800", "//x", "./x", "x\ny"),
)


def tflite(data: bytes, chance: random.Random) -> tuple[str, bytes]:
    """A mutant of a .tflite file: what was done to it, and its bytes."""
    what = chance.choice(("bit flips", "truncation", "offsets"))
    if what == "truncation":
        return what, data[: chance.randrange(len(data))]
    mutant = bytearray(data)
    if what == "bit flips":
        for _ in range(chance.choice((1, 1, 2, 4, 16, 64))):
            mutant[chance.randrange(len(data))] ^= 1 << chance.randrange(8)
        return what, bytes(mutant)
    words = np.frombuffer(data[: len(data) // 4 * 4], "<u4").astype(np.int64)
    plausible = np.flatnonzero((words > 0) & (words + 4 * np.arange(len(words)) < len(data)))
    for _ in range(chance.choice((1, 1, 2, 4))):
        place = 4 * int(chance.choice(plausible))
        if chance.random() < 0.25:  # an entry of a vtable has two bytes
            struct.pack_into("<H", mutant, place, chance.choice((0, 4, 8, 0xFFFF, chance.randrange(64))))
            continue
        value = int(words[place // 4])
        others = (0, 1, value - 4, value + 4, 2 * value, len(data), 2**31 - 1, 2**32 - 1, chance.randrange(len(data)))
        struct.pack_into("<I", mutant, place, chance.choice(others) % 2**32)
    return what, bytes(mutant)


def document(data: bytes, chance: random.Random, paths: Sequence[str] = PATHS) -> tuple[str, bytes]:
    """A mutant of a JSON document, likewise; `paths` are what paths in it are replaced by."""
    what = chance.choice(("byte flips", "truncation", "types", "keys", "numbers", "nesting", "paths"))
    if what == "truncation":
        return what, data[: chance.randrange(len(data))]
    if what == "byte flips":
        mutant = bytearray(data)
        for _ in range(chance.choice((1, 1, 2, 8))):
            mutant[chance.randrange(len(data))] = chance.randrange(256)
        return what, bytes(mutant)
    top = json.loads(data)
    container, key = _slot(top, chance)
    raw = '""'
    if what == "types":
        raw = json.dumps(chance.choice(_TYPES))
    elif what == "numbers":
        numbers = [slot for slot in _slots(top) if isinstance(slot[0][slot[1]], int | float)]
        container, key = chance.choice(numbers) if numbers and chance.random() < 0.8 else (container, key)
        raw = chance.choice(_NUMBERS)
    elif what == "nesting":
        depth = chance.choice(_DEPTHS)
        raw = chance.choice(("[" * depth + "]" * depth, '{"a":' * depth + "1" + "}" * depth))
    elif what == "paths":
        texts = [slot for slot in _slots(top) if isinstance(slot[0][slot[1]], str)]
        container, key = chance.choice(texts) if texts and chance.random() < 0.7 else (container, key)
        trick = chance.choice(paths)
        raw = json.dumps(trick)
        if isinstance(container, dict) and (chance.random() < 0.4 or not isinstance(container[key], str)):
            container[trick] = container.pop(key)
            return what, json.dumps(top).encode()
    elif isinstance(container, dict) and chance.random() < 0.5:
        kept = container[key]
        text = json.dumps(_renamed(top, container, key))
        return what, text.replace(
            json.dumps(_MARK), f"{json.dumps(key)}: {json.dumps(kept)}, {json.dumps(key)}"
        ).encode()
    else:
        del container[key]
        return what, json.dumps(top).encode()
    container[key] = _MARK
    return what, json.dumps(top).replace(json.dumps(_MARK), raw).encode()


def _slot(top: Any, chance: random.Random) -> tuple[Any, Any]:
    """A container and a key, at any depth alike: most keys lie deep, most that readers look at don't."""
    container = top
    while True:
        key = chance.choice(list(container) if isinstance(container, dict) else range(len(container)))
        inside = container[key]
        if not isinstance(inside, dict | list) or not inside or chance.random() < 0.25:
            return container, key
        container = inside


def _slots(value: Any) -> Iterator[tuple[Any, Any]]:
    """Every container and key below `value`."""
    for key in value if isinstance(value, dict) else range(len(value)):
        yield value, key
        if isinstance(value[key], dict | list):
            yield from _slots(value[key])


def _renamed(top: Any, container: dict, key: str) -> Any:
    """`top` with that key called `_MARK`, in its place."""
    items = [(_MARK if name == key else name, item) for name, item in container.items()]
    container.clear()
    container.update(items)
    return top
