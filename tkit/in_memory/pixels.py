"""Whether numbers are the pixels of 8-bit images, as a model takes them, and which."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, NamedTuple

import numpy as np

TOLERANCE = 1e-3
"""Of a pixel value: how far from a whole number it may be after it was scaled."""
_AT_ONCE = 4 << 20  # values that are examined at once

Range = Literal["0-255", "0-1", "-1-1"]
_SCALES: dict[Range, tuple[float, float]] = {"0-255": (1.0, 0.0), "0-1": (255.0, 0.0), "-1-1": (127.5, 127.5)}
"""Factor and offset that give 0-255."""


class EightBit(NamedTuple):
    """Images that were found to be exactly 8-bit ones."""

    images: list[np.ndarray]
    """uint8, one array per part."""
    range: Range
    """What their pixels were."""


def eight_bit(parts: Sequence[np.ndarray]) -> EightBit | None:
    """The images of all parts as uint8, where every value is a pixel's; None for other numbers.

    Negative values tell -1-1 from 0-1, values above 1 tell 0-255 from both.

    Example:
        >>> eight_bit([np.array([[0.0, 1.0], [0.2, 0.6]])]).range
        '0-1'
    """
    if all(part.dtype == np.uint8 for part in parts):
        return EightBit(list(parts), "0-255")
    if any(part.dtype.kind not in "iuf" for part in parts):
        return None
    low, high = (float(bound([bound(part) for part in parts if part.size])) for bound in (np.min, np.max))
    found: Range = "-1-1" if low < 0 else "0-1" if high <= 1 else "0-255"
    images = [_whole(part, *_SCALES[found]) for part in parts]
    whole = [image for image in images if image is not None]
    return EightBit(whole, found) if len(whole) == len(images) else None


def _whole(values: np.ndarray, factor: float, offset: float) -> np.ndarray | None:
    """The values scaled to whole numbers of 0 to 255, uint8; None where they aren't."""
    made = np.empty(values.shape, np.uint8)
    flat, target = np.ascontiguousarray(values).reshape(-1), made.reshape(-1)
    for start in range(0, len(flat), _AT_ONCE):
        scaled = flat[start : start + _AT_ONCE].astype(np.float64) * factor + offset
        rounded = np.rint(scaled)
        # Written so that NaN is none.
        if not (np.abs(scaled - rounded) <= TOLERANCE).all() or not ((rounded >= 0) & (rounded <= 255)).all():
            return None
        target[start : start + _AT_ONCE] = rounded
    return made
