"""Calibration examples: from the training split, stratified by class where there are classes."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from tkit_edge.tensors import Arrays, TensorSpec
from tkit_pipelines.dataset import Examples


def stratified(examples: Examples, samples: int, seed: int, inputs: Sequence[TensorSpec]) -> Arrays:
    """The inputs of up to `samples` examples, spread evenly over the classes."""
    places = stratified_places(examples, samples, seed)
    return {spec.name: examples.columns[spec.name][places] for spec in inputs}


def stratified_places(examples: Examples, samples: int, seed: int) -> np.ndarray:
    """Their indices, int64 [n], ascending. Classes with fewer examples than their share contribute all they have."""
    random = np.random.default_rng(seed)
    if "label" not in examples.columns:
        return np.sort(random.permutation(len(examples))[:samples])
    classes = np.unique(examples.labels)
    chosen: list[int] = []
    for position, label in enumerate(classes):
        share = (samples - len(chosen)) // (len(classes) - position)
        members = np.flatnonzero(examples.labels == label)
        chosen.extend(random.permutation(members)[:share])
    return np.sort(chosen)
