"""Places buffers in one static block of memory, so that those needed at the same time don't overlap.

Source: Pisarchyk and Lee 2020, "Efficient memory management for deep neural net inference", greedy by size; several
orders are tried and the smallest block is taken.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

ALIGNMENT = 8
"""Bytes: other types lie in the same block as int8."""


class Buffer(NamedTuple):
    """Memory that is needed from one operator to another."""

    size: int
    """Bytes."""
    first: int
    """The operator that fills it."""
    last: int
    """The last one that reads it."""


class Plan(NamedTuple):
    """Where the buffers lie."""

    offsets: tuple[int, ...]
    size: int
    """Bytes of the block."""


_ORDERS: tuple[Callable[[Buffer], tuple[int, ...]], ...] = (
    lambda buffer: (-buffer.size, buffer.first),
    lambda buffer: (buffer.first, -buffer.size),
    lambda buffer: (-buffer.last, -buffer.size),
    lambda buffer: (buffer.first - buffer.last, -buffer.size),
    lambda buffer: (buffer.size * (buffer.first - buffer.last - 1), buffer.first),
)


def plan(buffers: Sequence[Buffer]) -> Plan:
    """Offsets of the buffers in a block that is as small as greedy placement makes it."""
    return min((_placed(buffers, order) for order in _ORDERS), key=lambda found: found.size)


def _placed(buffers: Sequence[Buffer], order: Callable[[Buffer], tuple[int, ...]]) -> Plan:
    offsets: dict[int, int] = {}
    for index in sorted(range(len(buffers)), key=lambda index: order(buffers[index])):
        buffer = buffers[index]
        taken = sorted(
            (offsets[other], offsets[other] + _aligned(buffers[other].size))
            for other in offsets
            if buffers[other].first <= buffer.last and buffer.first <= buffers[other].last
        )
        # The lowest gap that is wide enough.
        start = 0
        for low, high in taken:
            if low - start >= buffer.size:
                break
            start = max(start, high)
        offsets[index] = start
    size = max((offset + _aligned(buffers[index].size) for index, offset in offsets.items()), default=0)
    return Plan(tuple(offsets[index] for index in range(len(buffers))), size)


def _aligned(size: int) -> int:
    return -(-size // ALIGNMENT) * ALIGNMENT
