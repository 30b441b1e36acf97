"""Images as Keras's loader brings them to size, in numpy: `keras.utils.image_dataset_from_directory`.

Bilinear without averaging (antialiasing), at half-pixel centres, in float32, then rounded to whole numbers: of two
pixels that an image is scaled down to, most of what lies between is never looked at, and a model that was trained so
expects just that. Sources: `tf.image.resize`, `tf.image.resize_with_pad`, Keras's `smart_resize`.
"""

from __future__ import annotations

import numpy as np

from tkit_edge.tensorflow_pixels import Sampler

RESIZES = ("keras", "keras-crop", "keras-pad")
"""The loader's default, `crop_to_aspect_ratio=True` and `pad_to_aspect_ratio=True`."""


def resized(sample: Sampler, source: tuple[int, int], target: tuple[int, int], resize: str) -> np.ndarray:
    """The pixels of an image, uint8 [height, width, channels] of the target's size.

    Args:
        sample: the image's pixels.
        source: its height and width.
        target: those wanted.
        resize: one of `RESIZES`.
    """
    if resize == "keras-crop":
        return _bilinear(sample, *_crop(source, target), target)
    if resize == "keras":
        return _bilinear(sample, (0, 0), source, target)
    before, inner = _pad(source, target)
    pixels = _bilinear(sample, (0, 0), source, inner)
    after = [whole - first - part for whole, first, part in zip(target, before, inner)]
    return np.pad(pixels, [(before[0], after[0]), (before[1], after[1]), (0, 0)])


def _crop(source: tuple[int, int], target: tuple[int, int]) -> tuple[tuple[int, int], tuple[int, int]]:
    """Where the largest centred part of the target's proportions begins, and its size; in Keras's float32."""
    (height, width), (target_height, target_width) = source, target
    across = int(np.float32(height * target_width) / np.float32(target_height))
    down = int(np.float32(width * target_height) / np.float32(target_width))
    size = max(min(height, down), 1), max(min(width, across), 1)
    return ((height - size[0]) // 2, (width - size[1]) // 2), size


def _pad(source: tuple[int, int], target: tuple[int, int]) -> tuple[tuple[int, int], tuple[int, int]]:
    """Where the largest size of the source's proportions begins in the target, and that size; in TensorFlow's float32.

    Sizes are cut off, and the margin is half of what was left before that. TensorFlow refuses what would be less than a
    pixel wide; here it is one.
    """
    ratio = max(np.float32(whole) / np.float32(part) for whole, part in zip(source, target))
    exact = [np.float32(whole) / ratio for whole in source]
    height, width = (max(int(part), 1) for part in exact)
    top, left = (max(int((np.float32(whole) - part) / 2), 0) for whole, part in zip(target, exact))
    return (min(top, target[0] - height), min(left, target[1] - width)), (height, width)


def _bilinear(sample: Sampler, start: tuple[int, int], size: tuple[int, int], target: tuple[int, int]) -> np.ndarray:
    """The part of an image that begins at `start` and has this `size`, scaled to the target's."""
    if size == target:
        return sample(start[0] + np.arange(size[0]), start[1] + np.arange(size[1]))
    (upper, lower, down), (left, right, across) = map(_neighbours, size, target)
    rows, columns = np.union1d(upper, lower), np.union1d(left, right)
    pixels = sample(start[0] + rows, start[1] + columns).astype(np.float32)
    first, second = (pixels[:, np.searchsorted(columns, which)] for which in (left, right))
    lines = first + (second - first) * across[:, None]
    first, second = (lines[np.searchsorted(rows, which)] for which in (upper, lower))
    return np.rint(first + (second - first) * down[:, None, None]).astype(np.uint8)


def _neighbours(size: int, target: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """For each pixel of the target, the two of the source around its centre, and how near it is to the second."""
    scale = np.float32(size) / np.float32(target)
    centres = (np.arange(target, dtype=np.float32) + np.float32(0.5)) * scale - np.float32(0.5)
    first = np.floor(centres)
    both = first.astype(np.int64), np.ceil(centres).astype(np.int64)
    return np.maximum(both[0], 0), np.minimum(both[1], size - 1), centres - first
