"""Calibration images: from the training split, stratified by class."""

from __future__ import annotations

import numpy as np

from tkit_pipelines.dataset import Examples


def stratified(examples: Examples, samples: int, seed: int) -> np.ndarray:
    """Up to `samples` images, uint8 [n, height, width, channels], spread evenly over the classes."""
    return examples.images[stratified_places(examples, samples, seed)]


def stratified_places(examples: Examples, samples: int, seed: int) -> np.ndarray:
    """Their indices, int64 [n], ascending. Classes with fewer images than their share contribute all they have."""
    random = np.random.default_rng(seed)
    classes = np.unique(examples.labels)
    chosen: list[int] = []
    for position, label in enumerate(classes):
        share = (samples - len(chosen)) // (len(classes) - position)
        members = np.flatnonzero(examples.labels == label)
        chosen.extend(random.permutation(members)[:share])
    return np.sort(chosen)
