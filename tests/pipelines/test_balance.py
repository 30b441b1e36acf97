"""Uneven classes: weights with mean 1, oversampling that is still a pure function, duplicates, and what is remarked."""

from __future__ import annotations

import itertools
import time

import numpy as np
import pytest
import tensorflow as tf

from tkit_edge.errors import InputError
from tkit_edge.inputs.image import Image
from tkit_pipelines.batches import Batches, in_order
from tkit_pipelines.data.images import Images
from tkit_pipelines.dataset import Bad, Rows, labelled
from tkit_pipelines.memory import machine_memory, ram_budget
from tkit_pipelines.ops.flip import Flip
from tkit_pipelines.ops.mixup import Mixup
from tkit_pipelines.splits import Splits

COUNTS = (40, 13, 5)


def uneven():
    """Image i holds i in its corner pixel; 40, 13 and 5 of the classes."""
    labels = np.random.default_rng(0).permutation(np.repeat(np.arange(3), COUNTS)).astype(np.int32)
    images = np.zeros((len(labels), 4, 4, 1), np.uint8)
    images[:, 0, 0, 0] = np.arange(len(labels))
    return labelled(images, labels)


def one_hot(classes):
    return lambda columns: tf.one_hot(columns["label"], classes)


def batches(balance, ops=(), seed=0, batch_size=10):
    data = Images(source="digits", image_size=(4, 4), batch_size=batch_size, augment=ops, balance=balance)
    return Batches(uneven(), data, one_hot(3), seed)


def epoch(made, number):
    parts = [made.batch(number, step) for step in range(made.steps_per_epoch)]
    return [np.concatenate(part) for part in zip(*parts, strict=True)]


def test_weights_make_classes_count_the_same_with_mean_1():
    made = batches("weights", batch_size=58)
    assert made.steps_per_epoch == 1
    _, labels, weights = epoch(made, 0)
    assert weights.dtype == np.float32 and weights.shape == (58,)
    assert weights.mean() == pytest.approx(1)
    np.testing.assert_allclose([weights[labels[:, label] == 1].sum() for label in range(3)], 58 / 3, rtol=1e-5)


def test_weights_leave_images_and_labels_as_they_were():
    for ops in ((), (Mixup(),)):
        plain, weighted = batches("none", ops).batch(1, 2), batches("weights", ops).batch(1, 2)
        assert len(plain) == 2
        for one, other in zip(plain, weighted[:2], strict=True):
            np.testing.assert_array_equal(one, other)
        np.testing.assert_allclose(weighted[2], plain[1].numpy() @ (58 / 3 / np.array(COUNTS)), rtol=1e-5)


def test_an_oversampled_epoch_has_every_class_as_often_as_the_largest():
    made = batches("oversample")
    assert made.steps_per_epoch == 12
    drawn = []
    for number in range(3):
        images, labels = epoch(made, number)
        assert labels.sum(0).tolist() == [40, 40, 40]
        order = images[:, 0, 0, 0]
        counts = np.bincount(order, minlength=58)
        own = uneven().labels
        np.testing.assert_array_equal(counts[own == 0], 1)
        assert set(counts[own == 1]) == {3, 4}  # 40 = 3 x 13 + 1
        np.testing.assert_array_equal(counts[own == 2], 8)
        np.testing.assert_array_equal(own[order], labels.argmax(1))
        drawn.append(order)
    assert not np.array_equal(drawn[0], drawn[1])
    extra = {int(np.argmax(np.bincount(order, minlength=58) * (uneven().labels == 1))) for order in drawn}
    assert len(extra) > 1


def test_oversampled_batches_are_pure():
    whole = list(itertools.islice(batches("oversample", (Flip(),)).dataset(), 26))
    for epoch_, step in ((0, 0), (0, 7), (1, 0), (2, 1)):
        for one, other in zip(
            batches("oversample", (Flip(),)).batch(epoch_, step), whole[12 * epoch_ + step], strict=True
        ):
            np.testing.assert_array_equal(one, other)
    resumed = next(iter(batches("oversample", (Flip(),)).dataset(1, 5)))
    np.testing.assert_array_equal(resumed[0], whole[17][0])


def test_balance_is_a_setting_of_the_data():
    data = Images(source="synthetic:3", image_size=(4, 4), batch_size=8, balance="weights")
    splits = data.load(0)
    assert len(Batches(splits.train, data, one_hot(3), 0).batch(0, 0)) == 3
    assert len(Batches(splits.train, Images(source="synthetic:3", image_size=(4, 4)), one_hot(3), 0).batch(0, 0)) == 2
    with pytest.raises(ValueError, match="oversample"):
        Images(source="digits", image_size=(4, 4), balance="more")
    with pytest.raises(ValueError, match="balance=weights evens out classes, and labels=numbers: set balance=none"):
        Images(source="digits", image_size=(4, 4), labels="numbers", balance="weights")


def noise(count, seed, shape=(32, 32, 3)):
    images = np.random.default_rng(seed).integers(0, 256, (count, *shape), dtype=np.uint8)
    return labelled(images, np.zeros(count, np.int32))


@pytest.mark.parametrize("shape", [(32, 32, 3), (5, 3, 1)])
def test_duplicates_are_counted_for_each_pair_with_the_first(shape):
    train, validation, test = (noise(200, seed, shape) for seed in range(3))
    test.images[17], test.images[40], test.images[41] = train.images[9], train.images[3], train.images[3]
    test.images[5] = validation.images[8]
    almost = train.images[100].copy()
    almost[0, 0, 0] ^= 1
    validation.images[0] = almost
    splits = Splits(train, validation, test, ("a", "b"), Image(32, 32, 3), "x")
    assert [tuple(found) for found in splits.duplicates] == [
        ("train", "test", 3, (9, 17), "image"),
        ("validation", "test", 1, (8, 5), "image"),
    ]
    assert "3 test images are in train too" in splits.remarks()[0]
    assert Splits(*(noise(50, seed, shape) for seed in range(3)), ("a", "b"), Image(32, 32, 3), "x").duplicates == ()


def test_equal_hashes_are_not_taken_for_equal_images(monkeypatch):
    from tkit_pipelines import duplicates

    monkeypatch.setattr(duplicates, "_hashes", lambda examples: np.zeros(len(examples), np.uint64))
    assert duplicates.find({"one": noise(5, 0), "other": noise(5, 1)}, "image") == ()


def test_60000_images_are_looked_through_in_half_a_second():
    splits = Splits(noise(45_000, 0), noise(5_000, 1), noise(10_000, 2), ("a", "b"), Image(32, 32, 3), "x")
    began = time.process_time()
    assert splits.duplicates == ()
    assert time.process_time() - began < 0.5


def test_remarks_say_imbalance_and_what_was_skipped():
    splits = Splits(
        uneven(), noise(2, 0), noise(2, 1), ("ant", "bee", "cow"), Image(4, 4, 1), "x", (Bad("f", "f is damaged."),)
    )
    skipped, uneven_ = splits.remarks()
    assert skipped == "1 file was skipped; the first: f is damaged."
    assert "40 training images of 'ant', 5 of 'cow'" in uneven_


@pytest.fixture
def both(tmp_path, tree, write, monkeypatch):
    """The same data in memory and, past a tiny budget, left in the cache."""
    data = Images(source=str(write["zip"](tmp_path / "set.zip", tree)), image_size=(4, 4), channels=1, batch_size=4)
    in_memory = data.load(0)
    monkeypatch.setenv("TKIT_RAM", "0")
    return data, in_memory, data.load(0)


def test_past_the_ram_budget_images_stay_in_the_cache_with_equal_batches(both):
    data, in_memory, on_disk = both
    for part in ("train", "validation", "test"):
        kept, left = getattr(in_memory, part), getattr(on_disk, part)
        assert isinstance(kept.images, np.ndarray)
        assert isinstance(left.images, Rows) and isinstance(left.images.store, np.memmap)
        np.testing.assert_array_equal(kept.images, left.images[:])
        assert left.images.shape == kept.images.shape and left.images.nbytes == kept.images.nbytes
        assert kept.encoded(0) == left.encoded(0)
        for one, other in zip(*(in_order(part, data, one_hot(2), 3) for part in (kept, left)), strict=True):
            np.testing.assert_array_equal(one[0], other[0])
            np.testing.assert_array_equal(one[1], other[1])
    for ops in ((), (Flip(), Mixup())):
        changed = data.model_copy(update={"augment": ops})
        pairs = zip(
            Batches(in_memory.train, changed, one_hot(2), 5).dataset(),
            Batches(on_disk.train, changed, one_hot(2), 5).dataset(),
            strict=True,
        )
        for one, other in itertools.islice(pairs, 7):
            np.testing.assert_array_equal(one[0], other[0])
            np.testing.assert_array_equal(one[1], other[1])
    assert in_memory.duplicates == on_disk.duplicates


def test_rows_are_indexed_like_an_array(both):
    _, in_memory, on_disk = both
    array, rows = in_memory.train.images, on_disk.train.images
    for key in (3, -1, slice(2, 9, 3), [1, 0], np.array([True, False] * 7), (slice(None), 1, 1, 0), (2, 1)):
        np.testing.assert_array_equal(array[key], rows[key])
    np.testing.assert_array_equal(np.asarray(rows), array)
    np.testing.assert_array_equal(on_disk.train.take(np.array([4, 2])).images, array[[4, 2]])
    np.testing.assert_array_equal(on_disk.train.view(np.array([4, 2])).images[:], array[[4, 2]])
    with pytest.raises(IndexError):
        rows[14]


def test_batches_read_the_file_itself_past_the_budget(both):
    data, _, on_disk = both
    made = Batches(on_disk.train, data, one_hot(2), 0)
    on_disk.train.images.store[...] = 77
    assert (made.batch(0, 0)[0].numpy() == 77).all()


def test_the_budget_goes_to_the_small_parts_first(tmp_path, tree, write, monkeypatch):
    data = Images(source=str(write["zip"](tmp_path / "set.zip", tree)), image_size=(4, 4), channels=1, batch_size=4)
    monkeypatch.setenv("TKIT_RAM", str(100 / 2**30))  # bytes: 2 validation and 4 test images of 16
    splits = data.load(0)
    assert [isinstance(part.images, Rows) for part in (splits.train, splits.validation, splits.test)] == [
        True,
        False,
        False,
    ]


def test_the_budget_is_half_of_the_memory_or_what_is_said(monkeypatch):
    monkeypatch.delenv("TKIT_RAM", raising=False)
    assert ram_budget() == machine_memory() // 2 > 2**28
    monkeypatch.setenv("TKIT_RAM", "1.5")
    assert ram_budget() == 3 * 2**29
    for wrong in ("much", "-1", "inf", "nan"):
        monkeypatch.setenv("TKIT_RAM", wrong)
        with pytest.raises(InputError, match=f"TKIT_RAM={wrong}: expected a number of GiB"):
            ram_budget()
