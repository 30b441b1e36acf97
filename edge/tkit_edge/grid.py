"""Many small images as one: a grid, each image magnified so that people can see it."""

from __future__ import annotations

import math

import numpy as np

GAP = 1
"""White pixels between two images."""
VISIBLE = 64
"""Pixels that the longer side of an image is magnified to, as far as whole numbers allow."""
_WHITE = 255


def grid(images: np.ndarray, columns: int | None = None, scale: int | None = None) -> np.ndarray:
    """Images in rows, from the left, the last row filled up with white.

    Args:
        images: uint8 [n, height, width, channels], at least one.
        columns: how many in a row; by default as many as make the grid nearly square.
        scale: each pixel becomes a square of so many; by default what makes small images `VISIBLE`.

    Returns:
        uint8 [height, width, channels].
    """
    count, height, width, channels = images.shape
    columns = min(count, columns or math.ceil(math.sqrt(count * height / width)))
    rows = math.ceil(count / columns)
    scale = scale or max(1, VISIBLE // max(height, width))
    tall, wide = scale * height + GAP, scale * width + GAP
    canvas = np.full((rows, columns, tall, wide, channels), _WHITE, np.uint8)
    cells = canvas.reshape(rows * columns, tall, wide, channels)
    cells[:count, :-GAP, :-GAP] = images.repeat(scale, axis=1).repeat(scale, axis=2)
    return canvas.swapaxes(1, 2).reshape(rows * tall, columns * wide, channels)[:-GAP, :-GAP]
