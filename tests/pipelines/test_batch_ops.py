"""Ops that compute pixels, against a plain numpy reading of the same random numbers, one image at a time."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
import tensorflow as tf

from tkit_pipelines.augment import augment
from tkit_pipelines.batches import Batches
from tkit_pipelines.data.images import Images
from tkit_pipelines.dataset import labelled
from tkit_pipelines.ops.colour import Colour
from tkit_pipelines.ops.cutmix import Cutmix
from tkit_pipelines.ops.flip import Flip
from tkit_pipelines.ops.mixup import Mixup
from tkit_pipelines.ops.randaugment import ALL, RandAugment
from tkit_pipelines.ops.random_resized_crop import RandomResizedCrop
from tkit_pipelines.ops.translate import Translate
from tkit_pipelines.pixels import beta
from tkit_pipelines.seeds import derive

SEED = tf.constant([5, 9], tf.int64)
COUNT, HEIGHT, WIDTH, CLASSES = 48, 9, 7, 4
LABELS = np.eye(CLASSES, dtype=np.float32)[np.arange(COUNT) % CLASSES]


def originals(channels=3):
    return np.random.default_rng(0).integers(0, 256, (COUNT, HEIGHT, WIDTH, channels)).astype(np.uint8)


def run(op, images, labels=LABELS):
    pixels, mixed = op.apply(tf.constant(images), tf.constant(labels), SEED)
    assert pixels.dtype == tf.uint8 and pixels.shape == images.shape
    assert mixed.dtype == tf.float32 and mixed.shape == labels.shape
    return pixels.numpy(), mixed.numpy()


def uniform(shape, *parts, low=0.0, high=1.0):
    return tf.random.stateless_uniform(shape, derive(SEED, *parts), low, high).numpy()


def rounded(values):
    return np.clip(np.round(values), 0, 255)


def grey(image):
    return image @ np.array([0.299, 0.587, 0.114]) if image.shape[-1] == 3 else image[..., 0]


@pytest.mark.parametrize("channels", [1, 3])
def test_colour(channels):
    images = originals(channels)
    got, labels = run(Colour(brightness=0.4, contrast=0.5, saturation=0.6), images)
    factors = 1 + np.array([[0.4], [0.5], [0.6]]) * uniform([3, COUNT], low=-1, high=1)
    for image, pixels, (bright, contrast, saturation) in zip(images, got, factors.T, strict=True):
        values = image * bright
        values = grey(values).mean() + (values - grey(values).mean()) * contrast
        values = grey(values)[..., None] + (values - grey(values)[..., None]) * (saturation if channels == 3 else 1)
        assert abs(rounded(values) - pixels).max() <= 1  # a value at one half may round either way
        assert (rounded(values) == pixels).mean() > 0.98
    np.testing.assert_array_equal(labels, LABELS)


def test_colour_at_zero_leaves_the_images():
    np.testing.assert_array_equal(run(Colour(brightness=0, contrast=0, saturation=0), originals())[0], originals())


def partners(*parts):
    return tf.random.experimental.stateless_shuffle(tf.range(COUNT), derive(SEED, *parts)).numpy()


def test_mixup():
    images = originals()
    got, labels = run(Mixup(alpha=0.4), images)
    share = beta(0.4, COUNT, derive(SEED, 0)).numpy()
    for index, (other, own) in enumerate(zip(partners(1), share, strict=True)):
        expected = own * images[index].astype(float) + (1 - own) * images[other]
        assert abs(expected - got[index]).max() <= 0.501
        np.testing.assert_allclose(labels[index], own * LABELS[index] + (1 - own) * LABELS[other], atol=1e-6)


def test_cutmix():
    images = originals()
    got, labels = run(Cutmix(), images)
    side = np.sqrt(beta(1.0, COUNT, derive(SEED, 0)).numpy())
    centre = uniform([2, COUNT, 1], 2)[..., 0]
    for index, other in enumerate(partners(1)):
        expected = images[index].copy()
        spans = []
        for axis, size in enumerate((HEIGHT, WIDTH)):
            length = int(np.round(side[index] * np.float32(size)))
            first = math.floor(centre[axis, index] * np.float32(size)) - length // 2
            spans.append(slice(max(first, 0), max(first + length, 0)))
        expected[tuple(spans)] = images[other][tuple(spans)]
        np.testing.assert_array_equal(got[index], expected)
        area = np.zeros((HEIGHT, WIDTH))
        area[tuple(spans)] = 1
        np.testing.assert_allclose(
            labels[index], LABELS[index] + area.mean() * (LABELS[other] - LABELS[index]), atol=1e-6
        )


def sampled(image, rows, columns):
    """Bilinear samples of `image` at `rows` x `columns`, clamped to it."""
    result = np.empty((len(rows), len(columns), image.shape[-1]))
    for (i, row), (j, column) in itertools.product(enumerate(rows), enumerate(columns)):
        row, column = np.clip(row, 0, image.shape[0] - 1), np.clip(column, 0, image.shape[1] - 1)
        top, left = int(row), int(column)
        down, right = min(top + 1, image.shape[0] - 1), min(left + 1, image.shape[1] - 1)
        y, x = row - top, column - left
        upper = (1 - x) * image[top, left] + x * image[top, right]
        lower = (1 - x) * image[down, left] + x * image[down, right]
        result[i, j] = (1 - y) * upper + y * lower
    return result


@pytest.mark.parametrize("channels", [1, 3])
def test_random_resized_crop(channels):
    images = originals(channels)
    got, _ = run(RandomResizedCrop(smallest=0.2), images)
    area = uniform([COUNT], 0, low=0.2, high=1)
    stretch = np.exp(uniform([COUNT], 1, low=-1, high=1) * math.log(4 / 3) / 2)
    place = uniform([2, COUNT], 2)
    for index, image in enumerate(images):
        places = []
        for axis, (size, part) in enumerate(((HEIGHT, 1 / stretch[index]), (WIDTH, stretch[index]))):
            length = min(math.sqrt(area[index]) * part, 1) * size
            places.append(place[axis, index] * (size - length) + (np.arange(size) + 0.5) / size * length - 0.5)
        assert abs(sampled(image.astype(float), *places) - got[index]).max() < 0.51


def test_random_resized_crop_of_the_whole_is_the_image():
    np.testing.assert_array_equal(run(RandomResizedCrop(smallest=1, ratio=1), originals())[0], originals())


def changed(image, name, sign, magnitude):
    """One change of RandAugment, as its description says."""
    height, width, _ = image.shape
    values = image.astype(np.float64)
    factor = 1 + sign * magnitude * 0.9
    by_value = {
        "identity": lambda: values,
        "brightness": lambda: values * factor,
        "contrast": lambda: grey(values).mean() + (values - grey(values).mean()) * factor,
        "posterize": lambda: values // 2 ** round(4 * magnitude) * 2 ** round(4 * magnitude),
        "solarize": lambda: np.where(values >= 256 * (1 - magnitude), 255 - values, values),
        "autocontrast": lambda: (
            (values - values.min((0, 1))) * 255 / np.maximum(values.max((0, 1)) - values.min((0, 1)), 1)
        ),
    }
    if name in by_value:
        return rounded(by_value[name]())
    result = np.zeros_like(values)
    amount = sign * magnitude
    turn = math.radians(30) * amount
    matrix, shift = {
        "rotate": ([[math.cos(turn), math.sin(turn)], [-math.sin(turn), math.cos(turn)]], (0, 0)),
        "shear_y": ([[1, 0.3 * amount], [0, 1]], (0, 0)),
        "shear_x": ([[1, 0], [0.3 * amount, 1]], (0, 0)),
        "translate_y": (np.eye(2), (0.3 * amount * height, 0)),
        "translate_x": (np.eye(2), (0, 0.3 * amount * width)),
    }[name]
    centre = np.array([(height - 1) / 2, (width - 1) / 2])
    for row, column in itertools.product(range(height), range(width)):
        source = np.round(matrix @ (np.array([row, column]) - centre) + shift + centre).astype(int)
        if (source >= 0).all() and (source < (height, width)).all():
            result[row, column] = values[tuple(source)]
    return result


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("magnitude", [0.37, 0.9])
def test_randaugment(channels, magnitude):
    images = originals(channels)
    got, _ = run(RandAugment(layers=2, magnitude=magnitude), images)
    expected, seen = images.astype(np.float64), set()
    for layer in range(2):
        choice = tf.random.stateless_uniform([COUNT], derive(SEED, layer, 0), 0, len(ALL), tf.int32).numpy()
        sign = np.where(uniform([COUNT], layer, 1) < 0.5, -1, 1)
        seen |= set(choice)
        pairs = zip(expected, choice, sign, strict=True)
        expected = np.array([changed(image, ALL[number], way, magnitude) for image, number, way in pairs])
    assert len(seen) == len(ALL)
    same = np.array([abs(one - other).max() <= 1 for one, other in zip(expected, got, strict=True)])
    # float32 and float64 may choose another nearest pixel, or another side of a table's step, for an image or two.
    assert same.sum() >= COUNT - 2


OPS = [
    Colour(),
    Mixup(),
    Cutmix(),
    RandomResizedCrop(),
    RandAugment(),
]
ALL_OPS = (Flip(), *OPS, Translate(pixels=2))


def batches(ops, seed=3):
    data = Images(source="digits", image_size=(HEIGHT, WIDTH), batch_size=16, augment=ops)
    examples = labelled(originals(), (np.arange(COUNT) % CLASSES).astype(np.int32))
    return Batches(examples, data, lambda columns: tf.one_hot(columns["label"], CLASSES), seed)


def same(left, right):
    return all(np.array_equal(a, b) for a, b in zip(left, right, strict=True))


@pytest.mark.parametrize("ops", [*((op,) for op in OPS), ALL_OPS], ids=[*(op.kind for op in OPS), "all"])
def test_batches_with_them_are_pure(ops):
    whole = list(itertools.islice(batches(ops).dataset(), 6))
    for step, batch in enumerate(whole):
        assert same(batch, batches(ops).batch(*divmod(step, 3)))
    assert same(next(iter(batches(ops).dataset(1, 1))), whole[4])
    assert not same(whole[0], batches(ops, seed=4).batch(0, 0))
    assert not same(whole[0], batches(()).batch(0, 0))
    for images, labels in whole:
        assert images.shape == (16, HEIGHT, WIDTH, 3)
        np.testing.assert_allclose(np.sum(labels, 1), 1, atol=1e-6)
        assert np.min(labels) >= 0


def test_labels_keep_their_mass():
    for op in (Mixup(), Cutmix(), Mixup(alpha=0.01)):
        _, labels = run(op, originals())
        np.testing.assert_allclose(labels.sum(1), 1, atol=1e-5)
        np.testing.assert_allclose(np.sort(labels.argmax(1)).shape, COUNT)
        assert np.isfinite(labels).all() and labels.min() >= -1e-7


def test_spatial_and_batch_ops_apply_in_their_order():
    """Flip before and after a translation that RandomResizedCrop, doing nothing, cuts off from it."""
    images = originals()
    ops = (Flip(), Translate(pixels=2), Flip())
    with_break = (Flip(), Translate(pixels=2), RandomResizedCrop(smallest=1, ratio=1), Flip())
    rows, turn = tf.range(COUNT), tf.zeros([COUNT, 1], tf.bool)
    one, _ = augment(tf.constant(images), rows, tf.constant(LABELS), ops[:2], SEED, turn)
    expected, _ = augment(tf.constant(images), rows, tf.constant(LABELS), with_break, SEED, turn)
    flips = tf.random.stateless_uniform([COUNT, 1], derive(SEED, 3)).numpy()[:, 0] < 0.5
    by_hand = [image[:, ::-1] if flip else image for image, flip in zip(one.numpy(), flips, strict=True)]
    np.testing.assert_array_equal(expected, by_hand)
