"""Splitting a part off a data set, class by class, the same way on every machine and for ever."""

from __future__ import annotations

import numpy as np

from tkit_edge.errors import InputError

# Sources without test images lose this part of each class to the test split. Both are constants, never the
# run's: an image that one run tests on is trained on by none.
TEST_FRACTION = 0.2
TEST_SEED = 20_260_101


def stratified(
    labels: np.ndarray, fraction: float, seed: int, class_names: tuple[str, ...]
) -> tuple[np.ndarray, np.ndarray]:
    """Indices that stay and indices held out: `fraction` of each class, at least one image of each.

    Args:
        labels: int [N].
        fraction: Part of each class to hold out, between 0 and 1.
        seed: Which images; the same seed gives the same ones.
        class_names: Names for the error message.

    Returns:
        Two sorted int64 arrays, disjoint, together 0..N-1.

    Raises:
        InputError: a class has too few images to be in both parts.
    """
    held = []
    for label, name in enumerate(class_names):
        members = np.flatnonzero(labels == label)
        count = max(1, round(len(members) * fraction))
        if count >= len(members):
            raise InputError(
                f"class {name!r} has too few images ({len(members)} left) to hold {fraction:.0%} of them "
                "out for validation or test: at least 3 of each class are needed. Add some "
                "or remove the class."
            )
        # RandomState, not Generator: NumPy promises that its stream never changes.
        words = [seed & 0xFFFFFFFF, (seed >> 32) & 0xFFFFFFFF, label]
        held.append(np.random.RandomState(words).permutation(members)[:count])
    held_out = np.sort(np.concatenate(held))
    return np.setdiff1d(np.arange(len(labels)), held_out), held_out
