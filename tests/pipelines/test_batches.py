"""The batch at (seed, epoch, step) is a pure function of the three."""

from __future__ import annotations

import itertools
import subprocess
import sys
import threading

import numpy as np
import pytest
import tensorflow as tf

from tkit_pipelines.batches import Batches, in_order
from tkit_pipelines.data.images import Images
from tkit_pipelines.dataset import aligned_empty, labelled, shareable
from tkit_pipelines.ops.alternating_flip import AlternatingFlip
from tkit_pipelines.ops.cutout import Cutout
from tkit_pipelines.ops.flip import Flip
from tkit_pipelines.ops.translate import Translate

OPS = (Flip(), Translate(pixels=2), Cutout(size=3))


def examples(count=53, classes=5):
    """Image i holds i in its corner pixel's channels and noise elsewhere; its label is i % classes."""
    images = np.random.default_rng(1).integers(0, 256, (count, 8, 8, 3)).astype(np.uint8)
    images[:, 0, 0] = np.arange(count)[:, None]
    return labelled(images, (np.arange(count) % classes).astype(np.int32))


def one_hot(columns):
    return tf.one_hot(columns["label"], 5)


def fed(examples, batch_size, ops, seed=0):
    data = Images(source="digits", image_size=(8, 8), batch_size=batch_size, augment=ops)
    return Batches(examples, data, one_hot, seed)


def batches(seed=7, ops=OPS, batch_size=10):
    return fed(examples(), batch_size, ops, seed)


def same(left, right):
    return all(np.array_equal(a, b) for a, b in zip(left, right, strict=True))


def test_a_dataset_from_anywhere_equals_the_uninterrupted_one():
    made = batches()
    assert made.steps_per_epoch == 5
    whole = list(itertools.islice(made.dataset(), 15))
    for epoch, step in [(0, 0), (0, 3), (1, 0), (1, 4), (2, 2)]:
        start = 5 * epoch + step
        resumed = list(itertools.islice(batches().dataset(epoch, step), 15 - start))
        assert all(same(a, b) for a, b in zip(resumed, whole[start:], strict=True)), (epoch, step)
        assert same(made.batch(epoch, step), whole[start])


def test_ops_are_traced_once_whatever_the_epoch():
    traced = []

    class Counted(Flip):
        def sources(self, *arguments):
            traced.append(1)
            return super().sources(*arguments)

    made = batches(ops=(Counted(),))
    expected = [made.batch(epoch, 2) for epoch in range(3)]
    traced.clear()
    for epoch in range(3):
        assert same(next(iter(made.dataset(epoch, 2))), expected[epoch])
    assert len(traced) == 1


def test_seed_epoch_and_step_each_matter():
    first = batches().batch(1, 1)
    for other in (batches(seed=8).batch(1, 1), batches().batch(2, 1), batches().batch(1, 2)):
        assert not same(first, other)


def test_augmentation_differs_between_epochs_for_the_same_image():
    """The order aside: all images are equal, so a difference can only come from the ops."""
    same_image = labelled(np.repeat(examples().images[:1], 20, axis=0), np.zeros(20, np.int32))
    made = fed(same_image, 20, OPS)
    assert not same(made.batch(0, 0), made.batch(1, 0))


def test_an_epoch_takes_each_image_at_most_once_and_drops_the_remainder():
    made = batches(ops=())
    for epoch in range(2):
        seen = np.concatenate([made.batch(epoch, step)[0][:, 0, 0, 0] for step in range(5)])
        assert len(set(seen.tolist())) == 50
    with pytest.raises(ValueError, match="step=5"):
        made.batch(0, 5)
    with pytest.raises(ValueError, match="step=5"):
        made.dataset(0, 5)


def test_orders_of_epochs_are_unlike():
    made = batches(ops=())
    orders = [np.concatenate([made.batch(epoch, step)[0][:, 0, 0, 0] for step in range(5)]) for epoch in range(40)]
    # Image 0 comes first in 1 of 53 epochs or so; every position's mean is near the middle, 26.
    assert abs(np.mean(orders) - 26) < 2
    assert len({order.tobytes() for order in orders}) == 40


def test_an_alternating_flip_shows_every_image_both_ways_in_two_epochs():
    columns = np.broadcast_to(np.arange(8, dtype=np.uint8)[:, None], (53, 8, 8, 1)).copy()
    columns[:, 0, :, 0] = np.arange(53)[:, None]  # the first row says which image it is
    made = fed(labelled(columns, np.zeros(53, np.int32)), 53, (AlternatingFlip(),), seed=7)
    mirrored = []
    for epoch in range(4):
        images = made.batch(epoch, 0)[0].numpy()[..., 0]
        turned = images[:, 1, 0] == 7
        mirrored.append(turned[np.argsort(images[:, 0, 0])])
    np.testing.assert_array_equal(mirrored[1], ~mirrored[0])
    np.testing.assert_array_equal(mirrored[2:], mirrored[:2])
    assert 15 <= mirrored[0].sum() <= 38


def test_labels_follow_their_images():
    images, labels = batches(ops=()).batch(0, 0)
    assert images.dtype == "uint8"
    assert labels.dtype == "float32"
    np.testing.assert_array_equal(np.argmax(labels, 1), images[:, 0, 0, 0].numpy() % 5)
    np.testing.assert_array_equal(np.sum(labels, 1), 1)


def test_shapes_are_static():
    images, labels = batches().dataset().element_spec
    assert images.shape == (10, 8, 8, 3)
    assert labels.shape == (10, 5)


def test_a_batch_holds_what_there_is_where_that_is_less():
    made = batches(batch_size=54)
    assert (made.batch_size, made.steps_per_epoch) == (53, 1)


def test_in_order_gives_everything_once_with_a_partial_last_batch():
    parts = list(in_order(examples(), Images(source="digits", image_size=8), one_hot, 20))
    assert [len(images) for images, _ in parts] == [20, 20, 13]
    np.testing.assert_array_equal(np.concatenate([images for images, _ in parts]), examples().images)
    np.testing.assert_array_equal(np.concatenate([np.argmax(labels, 1) for _, labels in parts]), examples().labels)


def test_taken_images_are_shared_with_tensorflow_not_copied():
    taken = examples().take(np.arange(20))
    assert shareable(taken.images) is taken.images
    made = fed(taken, 20, ())
    taken.images[...] = 99
    assert (made.batch(0, 0)[0].numpy() == 99).all()


def test_unaligned_strided_and_read_only_images_work():
    source = examples().images
    frozen = source.copy()
    frozen.flags.writeable = False
    odd = aligned_empty((source.size + 1,))[1:].reshape(source.shape)
    odd[...] = source
    for images in (odd, frozen, np.repeat(source, 2, axis=3)[..., ::2]):
        made = fed(labelled(images, examples().labels), 10, OPS, seed=7)
        assert same(made.batch(0, 0), batches().batch(0, 0))


def test_threads_in_parallel_see_the_same_batches():
    made, results = batches(), {}

    def work(number):
        results[number] = list(itertools.islice(made.dataset(), 12))

    threads = [threading.Thread(target=work, args=(number,)) for number in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert all(same(a, b) for number in (1, 2) for a, b in zip(results[0], results[number], strict=True))


USED = """
import os, time
os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})  # on one core the autotuner's thread never woke in time
import numpy as np
from tkit_pipelines.batches import Batches, in_order
from tkit_pipelines.data.images import Images
from tkit_pipelines.dataset import labelled

examples = labelled(np.zeros((512, 8, 8, 3), np.uint8), np.zeros(512, np.float32))
data, encode = Images(source="digits", image_size=8, batch_size=32), lambda columns: columns["label"]
for dataset in (Batches(examples, data, encode, 0).dataset(), in_order(examples, data, encode).repeat()):
    waits = []
    for _ in range(4):  # the shortest counts: on a busy machine any one may be late
        iterator, began = iter(dataset.take(10**9)), time.perf_counter()
        while time.perf_counter() - began < 1.5:
            next(iterator)
        began = time.perf_counter()
        del iterator
        waits.append(time.perf_counter() - began)
    print(min(waits))
"""


def test_an_iterator_that_is_done_with_ends_at_once():
    waits = subprocess.run([sys.executable, "-c", USED], stdout=subprocess.PIPE, check=True, text=True).stdout.split()
    assert len(waits) == 2
    assert all(float(seconds) < 0.5 for seconds in waits), waits
