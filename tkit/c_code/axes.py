"""Arrays as C sees them: an element's index is a sum of steps along the axes."""

from __future__ import annotations

from collections.abc import Sequence


def strides(shape: Sequence[int], broadcast_to: Sequence[int]) -> tuple[int, ...]:
    """The step of each axis of `broadcast_to` in an array of `shape`; 0 along an axis that it is repeated on."""
    padded = (*[1] * (len(broadcast_to) - len(shape)), *shape)
    steps, step = [], 1
    for size in reversed(padded):
        steps.append(step if size > 1 else 0)
        step *= size
    return tuple(reversed(steps))


def merged(shape: Sequence[int], steps: Sequence[Sequence[int]]) -> tuple[list[int], list[list[int]]]:
    """The same elements with as few axes as possible.

    Args:
        shape: the axes' sizes.
        steps: of each array its step along each axis.

    Returns:
        Sizes, and of each array its steps; neighbours become one axis where each array goes on along them.
    """
    sizes: list[int] = []
    found: list[list[int]] = [[] for _ in steps]
    for axis, size in enumerate(shape):
        if size == 1:
            continue
        here = [array[axis] for array in steps]
        if sizes and all(outer[-1] == step * size for outer, step in zip(found, here, strict=True)):
            sizes[-1] *= size
            for outer, step in zip(found, here, strict=True):
                outer[-1] = step
        else:
            sizes.append(size)
            for outer, step in zip(found, here, strict=True):
                outer.append(step)
    return sizes, found
