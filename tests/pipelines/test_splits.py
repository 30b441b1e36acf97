"""What is held out: stratified, disjoint, seeded for validation, the same for every seed for test."""

from __future__ import annotations

import numpy as np
import pytest

from tkit_edge.errors import InputError
from tkit_pipelines.data.images import Images
from tkit_pipelines.resolve import resolve
from tkit_pipelines.source import Shape
from tkit_pipelines.stratify import stratified

NAMES = ("a", "b", "c")
LABELS = np.repeat([0, 1, 2], [50, 30, 20])


def test_stratified_disjoint_and_complete():
    kept, held = stratified(LABELS, 0.2, 3, NAMES)
    assert np.bincount(LABELS[held]).tolist() == [10, 6, 4]
    assert sorted([*kept, *held]) == list(range(100))


def test_seeded():
    assert stratified(LABELS, 0.2, 3, NAMES)[1].tolist() == stratified(LABELS, 0.2, 3, NAMES)[1].tolist()
    others = {tuple(stratified(LABELS, 0.2, seed, NAMES)[1]) for seed in (3, 4, 2**32 + 3, -1)}
    assert len(others) == 4


def test_pinned_for_ever():
    """These numbers must never change: they decide what was tested on in runs already made."""
    assert stratified(LABELS, 0.05, 0, NAMES)[1].tolist() == [29, 31, 64, 66, 89]


def test_a_class_too_small_to_split_is_named():
    with pytest.raises(InputError, match="class 'b' has too few examples"):
        stratified(np.array([0, 0, 0, 1, 2, 2, 2]), 0.5, 0, NAMES)


def images(examples):
    return {image.tobytes() for image in examples.images}


def test_digits_test_part_is_fixed_and_never_trained_on():
    data = Images(source="digits", image_size=(8, 8), channels=1)
    first, second = data.load(seed=0), data.load(seed=1)
    np.testing.assert_array_equal(first.test.images, second.test.images)
    assert images(first.validation) != images(second.validation)
    assert len(first.train) + len(first.validation) + len(first.test) == 1797
    assert len(first.test) == pytest.approx(0.2 * 1797, abs=5)
    for splits in (first, second):
        assert not images(splits.test) & (images(splits.train) | images(splits.validation))
        assert not images(splits.train) & images(splits.validation)
    counts = np.bincount(first.test.labels)
    assert counts.min() >= 34
    assert counts.max() <= 37


def test_digits_are_the_scans_at_full_range():
    from sklearn.datasets import load_digits

    loaded = resolve("digits").load(Shape(8, 8, 1))
    np.testing.assert_array_equal(loaded.train.images[..., 0], np.round(load_digits().images * 255 / 16))
    assert loaded.train.images.max() == 255
    assert loaded.class_names == tuple("0123456789")


def test_digits_resize_to_what_a_recipe_wants():
    loaded = resolve("digits").load(Shape(12, 10, 3))
    assert loaded.train.images.shape == (1797, 12, 10, 3)


def test_a_source_with_test_images_keeps_them():
    splits = Images(source="synthetic:4", image_size=(6, 6), validation=0.25).load(seed=0)
    assert (len(splits.train), len(splits.validation), len(splits.test)) == (768, 256, 256)
    assert np.bincount(splits.validation.labels).tolist() == [64] * 4


def test_synthetic_is_the_same_each_time_and_can_be_learned():
    """The nearest class mean, found in training images, names at least 95 % of the test images."""
    first, second = (resolve("synthetic:5").load(Shape(8, 8, 3)) for _ in range(2))
    np.testing.assert_array_equal(first.train.images, second.train.images)
    train, test = first.train, first.test
    means = np.stack([train.images[train.labels == label].mean(0) for label in range(5)])
    distance = ((test.images[:, None] - means[None]) ** 2).sum((2, 3, 4))
    assert (distance.argmin(1) == test.labels).mean() > 0.95
    assert not images(train) & images(test)


@pytest.mark.parametrize("text", ["synthetic:1", "synthetic:x", "synthetic:99999", "digits:3", "tfds:"])
def test_a_wrong_argument_says_what_was_expected(text):
    with pytest.raises(InputError, match=r"expected|takes nothing"):
        resolve(text)


def test_an_unknown_name_gives_the_closest():
    with pytest.raises(InputError, match="Did you mean 'digits'"):
        resolve("digit")
    with pytest.raises(InputError, match="no such file or folder"):
        resolve("./missing.tar.gz")
    with pytest.raises(InputError, match="neither"):
        resolve("")


def test_a_name_wins_over_a_folder_of_the_same_name(tmp_path, monkeypatch):
    (tmp_path / "digits").mkdir()
    monkeypatch.chdir(tmp_path)
    assert type(resolve("digits")).__name__ == "Digits"
    assert type(resolve("./digits")).__name__ == "Folder"


def test_a_file_of_another_kind_is_refused(tmp_path):
    (tmp_path / "notes.txt").write_text("hello")
    with pytest.raises(InputError, match="none of the files tkit reads"):
        resolve(str(tmp_path / "notes.txt"))
