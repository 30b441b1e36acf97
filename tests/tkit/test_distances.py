"""Distances between sets of images: by hand, on normal samples, and on digits that get worse step by step."""

import tracemalloc
from itertools import pairwise

import numpy as np
import pytest
from scipy import linalg, ndimage

from tkit.evaluation import distances
from tkit.evaluation.distances import frechet, gaussian


def normal(count, width=8, seed=0, shift=0.0, scale=1.0):
    return np.random.default_rng(seed).normal(shift, scale, (count, width))


def test_frechet_is_what_the_formula_gives():
    one, other = normal(300), normal(200, seed=1, shift=0.5, scale=2.0) @ normal(8, seed=2)
    root = linalg.sqrtm(np.cov(one.T) @ np.cov(other.T)).real
    expected = np.sum((one.mean(0) - other.mean(0)) ** 2) + np.trace(np.cov(one.T) + np.cov(other.T) - 2 * root)
    assert frechet(gaussian(one), gaussian(other)) == pytest.approx(expected, rel=1e-9)
    far = normal(5000, shift=3.0)  # equal covariances: the means alone are apart
    assert frechet(gaussian(normal(5000)), gaussian(far)) == pytest.approx(8 * 9, rel=1e-6)


def test_equal_sets_are_at_distance_0_even_where_covariances_are_singular():
    few = normal(20, width=64) * 100
    assert frechet(gaussian(few), gaussian(few)) == pytest.approx(0, abs=1e-6)
    alone = gaussian(few[:1])
    assert frechet(alone, alone) == 0 and np.isfinite(frechet(alone, gaussian(few)))
    assert distances.precision_recall(few, few) == (1.0, 1.0)


def kernel_by_hand(one, other):
    def kernel(a, b):
        return (a @ b / len(a) + 1) ** 3

    within = [np.mean([kernel(a, b) for i, a in enumerate(x) for j, b in enumerate(x) if i != j]) for x in (one, other)]
    return sum(within) - 2 * np.mean([kernel(a, b) for a in one for b in other])


def test_the_kernel_distance_is_what_the_definition_gives_and_unbiased():
    one, other = normal(7, width=3), normal(5, width=3, seed=1, shift=1.0)
    assert distances.kernel(one, other) == pytest.approx(kernel_by_hand(one, other))
    found = [distances.kernel(normal(30, seed=2 * i), normal(30, seed=2 * i + 1)) for i in range(100)]
    assert abs(np.mean(found)) < 3 * np.std(found) / 10
    assert min(found) < 0 < max(found)


def test_precision_and_recall_by_hand():
    real = np.array([[0.0], [1.0], [2.0], [3.0]])  # the third neighbour: 3, 2, 2 and 3 away
    made = np.array([[0.5], [6.0], [7.0], [8.0], [9.0]])
    assert distances.precision_recall(real, made)[0] == pytest.approx(2 / 5)  # 0.5, and 6.0 within 3 of 3.0
    assert distances.precision_recall(real, made)[1] == 1.0  # the third neighbour of 0.5 is 7.5 away


def test_memory_is_bounded_by_chunks_which_change_nothing(monkeypatch):
    one, other = normal(64), normal(50, seed=1, shift=0.3)
    kernel, near = distances.kernel(one, other), distances.precision_recall(one, other)
    monkeypatch.setattr(distances, "_CHUNK", 7)
    assert distances.precision_recall(one, other) == near
    assert distances.kernel(one, other) == pytest.approx(kernel, abs=1e-12)
    monkeypatch.undo()
    many = normal(4000, width=2)
    tracemalloc.start()
    try:
        distances.precision_recall(many, many)
        distances.kernel(many, many)
        assert tracemalloc.get_traced_memory()[1] < 4000 * 4000 * 8 / 2  # half of one whole matrix
    finally:
        tracemalloc.stop()


def test_a_class_is_covered_from_a_fifth_of_its_real_share_on():
    real = distances.shares(np.repeat([0, 1, 2], [50, 40, 10]), 4)
    assert real.tolist() == [0.5, 0.4, 0.1, 0.0]
    assert distances.covered(np.array([0.9, 0.079, 0.021, 0.0]), real).tolist() == [True, False, True, False]


@pytest.fixture(scope="module")
def digits():
    """Digits as features of themselves, in two halves, and their labels: distances need no judge to be in order."""
    from sklearn.datasets import load_digits

    found = load_digits()
    order = np.random.default_rng(0).permutation(len(found.images))
    images, labels = found.images[order], found.target[order]
    return images[:800], images[800:1600], labels[800:1600]


def flat(images):
    return images.reshape(len(images), -1)


def ordered(values):
    return all(one < other for one, other in pairwise(values))


def worse(digits):
    """Ever noisier, ever more blurred images, and ever fewer digits."""
    _, made, labels = digits
    noise = np.random.default_rng(0).normal(0, 1, made.shape)
    yield "noise", [made + strength * noise for strength in (0, 1, 2, 4, 8)]
    yield "blur", [ndimage.gaussian_filter(made, (0, sigma, sigma)) for sigma in (0, 0.4, 0.6, 0.9, 1.5)]
    yield "modes", [made[labels < kept] for kept in (10, 8, 6, 4, 2, 1)]


def test_distances_grow_with_noise_blur_and_dropped_modes_each_in_order(digits):
    real = flat(digits[0])
    for kind, steps in worse(digits):
        assert ordered([frechet(gaussian(flat(made)), gaussian(real)) for made in steps]), kind
        assert ordered([distances.kernel(flat(made), real) for made in steps]), kind


def test_precision_falls_with_noise_and_recall_with_dropped_modes(digits):
    steps, real = dict(worse(digits)), flat(digits[0])
    noisy = [distances.precision_recall(real, flat(made)) for made in steps["noise"]]
    assert ordered([-precision for precision, _ in noisy])
    dropped = [distances.precision_recall(real, flat(made)) for made in steps["modes"]]
    assert ordered([-recall for _, recall in dropped])
    assert dropped[-1][0] > 0.8  # the digits that are left are good ones
