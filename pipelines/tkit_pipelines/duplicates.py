"""Images that are in two parts of a data set: a model tested on what it was trained on looks better than it is."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import combinations
from typing import NamedTuple

import numpy as np

from tkit_edge.text import counted
from tkit_pipelines.dataset import Examples

CHUNK = 4096  # images hashed at once


class Duplicates(NamedTuple):
    """How many images of one part are in another part too, pixel for pixel."""

    first: str
    second: str
    images: int
    """Those of `second` that `first` holds."""
    example: tuple[int, int]
    """An index into `first` and one into `second`."""

    def __str__(self) -> str:
        repeated = counted(self.images, f"{self.second} image is", f"{self.second} images are")
        return (
            f"{repeated} in {self.first} too, pixel for pixel; the first is "
            f"{self.second} image {self.example[1]}, which is {self.first} image {self.example[0]}"
        )


def find(parts: Mapping[str, Examples]) -> tuple[Duplicates, ...]:
    """The duplicates across each pair of `parts`, for pairs that have some.

    Equality is of decoded pixels. Images are told apart by a hash first and compared whole where it agrees: 60,000
    images of 32x32x3 take about 0.1 s.
    """
    hashes = {name: _hashes(examples) for name, examples in parts.items()}
    found = []
    for first, second in combinations(parts, 2):
        known, at = np.unique(hashes[first], return_index=True)
        if not len(known):
            continue
        place = np.minimum(np.searchsorted(known, hashes[second]), len(known) - 1)
        candidates = np.flatnonzero(known[place] == hashes[second])
        pairs = [
            (int(at[place[other]]), int(other))
            for other in candidates
            if np.array_equal(parts[first].images[at[place[other]]], parts[second].images[other])
        ]
        if pairs:
            found.append(Duplicates(first, second, len(pairs), pairs[0]))
    return tuple(found)


def _hashes(examples: Examples) -> np.ndarray:
    """uint64 [N]: the pixels, as 64-bit words, times random odd words."""
    pixels = int(np.prod(examples.images.shape[1:]))
    words = -(-pixels // 8)
    multipliers = np.random.default_rng(0).integers(0, 2**63, words, np.uint64) * 2 + 1
    hashes = np.empty(len(examples), np.uint64)
    for start in range(0, len(examples), CHUNK):
        part = examples.images[start : start + CHUNK].reshape(-1, pixels)
        padded = np.zeros((len(part), words * 8), np.uint8)
        padded[:, :pixels] = part
        hashes[start : start + CHUNK] = padded.view(np.uint64) @ multipliers
    return hashes
