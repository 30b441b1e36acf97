"""Splitting a part off a data set, class by class where it has some, the same way on every machine and for ever."""

from __future__ import annotations

import numpy as np

from tkit_edge.errors import InputError

# Sources without test images lose this part of each class to the test split. Both are constants, never the
# run's: an example that one run tests on is trained on by none.
TEST_FRACTION = 0.2
TEST_SEED = 20_260_101


def stratified(
    labels: np.ndarray, fraction: float, seed: int, class_names: tuple[str, ...]
) -> tuple[np.ndarray, np.ndarray]:
    """Indices that stay and indices held out: `fraction` of each class, at least one example of each.

    Args:
        labels: int [N].
        fraction: Part of each class to hold out, between 0 and 1.
        seed: Which images; the same seed gives the same ones.
        class_names: Names for the error message.

    Returns:
        Two sorted int64 arrays, disjoint, together 0..N-1.

    Raises:
        InputError: a class has too few examples to be in both parts.
    """
    held = [
        _drawn(np.flatnonzero(labels == label), fraction, seed, label, f"class {name!r}", "of each class")
        for label, name in enumerate(class_names)
    ]
    held_out = np.sort(np.concatenate(held))
    return np.setdiff1d(np.arange(len(labels)), held_out), held_out


def unstratified(count: int, fraction: float, seed: int, name: str) -> tuple[np.ndarray, np.ndarray]:
    """As `stratified`, of `count` examples that have no classes; `name` is what the error message calls them."""
    held_out = np.sort(_drawn(np.arange(count), fraction, seed, 0, name, "of them"))
    return np.setdiff1d(np.arange(count), held_out), held_out


def _drawn(members: np.ndarray, fraction: float, seed: int, label: int, name: str, least: str) -> np.ndarray:
    """The part of `members` that is held out, in no order."""
    count = max(1, round(len(members) * fraction))
    if count >= len(members):
        raise InputError(
            f"{name} has too few examples ({len(members)} left) to hold {fraction:.0%} of them out for validation or "
            f"test: at least 3 {least} are needed. Add some or remove it."
        )
    # RandomState, not Generator: NumPy promises that its stream never changes.
    words = [seed & 0xFFFFFFFF, (seed >> 32) & 0xFFFFFFFF, label]
    return np.random.RandomState(words).permutation(members)[:count]
