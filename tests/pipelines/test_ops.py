"""Augmentation ops against a plain numpy reading of the same random numbers."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf
from pydantic import ValidationError

from tkit_pipelines.augment import augment
from tkit_pipelines.data.images import Images
from tkit_pipelines.ops.alternating_flip import AlternatingFlip
from tkit_pipelines.ops.crop import Crop
from tkit_pipelines.ops.cutout import Cutout
from tkit_pipelines.ops.flip import Flip
from tkit_pipelines.ops.translate import Translate
from tkit_pipelines.seeds import derive

SEED = tf.constant([5, 9], tf.int64)


def originals(count=64, height=9, width=7, channels=3):
    """No pixel is black, so that black always comes from an op."""
    return np.random.default_rng(0).integers(1, 256, (count, height, width, channels)).astype(np.uint8)


def run(images, *ops, seed=SEED):
    rows = tf.range(len(images))
    return augment(tf.constant(images), rows, labels(len(images)), ops, seed, turn(len(images)))[0].numpy()


def turn(count):
    return tf.constant(np.arange(count)[:, None] % 3 == 0)


def labels(count, classes=4):
    return tf.one_hot(np.arange(count) % classes, classes)


def draw(shape, low, high, number=0, axis=None):
    seed = derive(SEED, number)
    seed = seed if axis is None else derive(seed, axis)
    return tf.random.stateless_uniform(shape, seed, low, high, dtype=tf.int32).numpy()


def shifted(image, down, right):
    """`image` moved, black where nothing comes in."""
    height, width, _ = image.shape
    result = np.zeros_like(image)
    for row in range(height):
        for column in range(width):
            if 0 <= row - down < height and 0 <= column - right < width:
                result[row, column] = image[row - down, column - right]
    return result


def cut(image, row, column, size):
    result = image.copy()
    top, left = row - size // 2, column - size // 2
    result[max(top, 0) : max(top + size, 0), max(left, 0) : max(left + size, 0)] = 0
    return result


def mirrored(count, number=0):
    return tf.random.stateless_uniform([count, 1], derive(SEED, number)).numpy()[:, 0] < 0.5


def test_flip_mirrors_left_to_right():
    images = originals()
    expected = [image[:, ::-1] if flip else image for image, flip in zip(images, mirrored(64), strict=True)]
    np.testing.assert_array_equal(run(images, Flip()), expected)


def test_alternating_flip_mirrors_those_whose_turn_it_is():
    images = originals()
    expected = [image[:, ::-1] if number % 3 == 0 else image for number, image in enumerate(images)]
    np.testing.assert_array_equal(run(images, AlternatingFlip()), expected)


def test_translate_shifts_with_black():
    images = originals()
    down, right = draw([2, 64, 1], -3, 4)[..., 0]
    expected = [shifted(image, *by) for image, *by in zip(images, down, right, strict=True)]
    np.testing.assert_array_equal(run(images, Translate(pixels=3)), expected)


def test_crop_is_a_reflected_pad_cut_at_random():
    images = originals()
    down, right = draw([2, 64, 1], -3, 4)[..., 0]
    padded = np.pad(images, [(0, 0), (3, 3), (3, 3), (0, 0)], "reflect")
    expected = [
        image[3 + row : 12 + row, 3 + column : 10 + column]
        for image, row, column in zip(padded, down, right, strict=True)
    ]
    np.testing.assert_array_equal(run(images, Crop(padding=3)), expected)


@pytest.mark.parametrize("size", [1, 4, 5])
def test_cutout_blanks_a_square_around_a_pixel(size):
    images = originals()
    rows, columns = draw([64, 1], 0, 9, axis=0)[:, 0], draw([64, 1], 0, 7, axis=1)[:, 0]
    expected = [cut(image, *at, size) for image, *at in zip(images, rows, columns, strict=True)]
    np.testing.assert_array_equal(run(images, Cutout(size=size)), expected)


@pytest.mark.parametrize("channels", [1, 3])
def test_ops_apply_in_their_order(channels):
    """The square of a cutout moves and is mirrored with its image; what a shift lost stays lost."""
    images = originals(channels=channels)
    rows, columns = (
        draw([64, 1], 0, 9, number=0, axis=0)[:, 0],
        draw([64, 1], 0, 7, number=0, axis=1)[:, 0],
    )
    first, second = draw([2, 64, 1], -3, 4, number=1)[..., 0], draw([2, 64, 1], -3, 4, number=3)[..., 0]
    flips = mirrored(64, number=2)
    expected = []
    for i, image in enumerate(images):
        image = shifted(cut(image, rows[i], columns[i], 4), first[0][i], first[1][i])
        image = image[:, ::-1] if flips[i] else image
        expected.append(shifted(image, second[0][i], second[1][i]))
    np.testing.assert_array_equal(
        run(images, Cutout(size=4), Translate(pixels=3), Flip(), Translate(pixels=3)), expected
    )


def test_what_draws_is_uniform():
    """Over 4,000 images: half are flipped; each of 7 shifts comes about equally often (within 5 sigma)."""
    count = 4000
    ramp = np.broadcast_to(np.arange(1, 10, dtype=np.uint8)[None, None, :, None], (count, 9, 9, 1))
    flipped = run(ramp, Flip())[:, 0, 0, 0] == 9
    assert abs(flipped.mean() - 0.5) < 5 * 0.5 / np.sqrt(count)
    centre = run(ramp, Translate(pixels=3))[:, 4, 4, 0]
    counts = np.bincount(centre, minlength=10)[2:9]
    assert (abs(counts - count / 7) < 5 * np.sqrt(count / 7)).all(), counts
    assert counts.sum() == count


def test_another_seed_draws_otherwise():
    images = originals()
    other = run(images, Translate(), seed=tf.constant([5, 10], tf.int64))
    assert (run(images, Translate()) != other).any()


@pytest.mark.parametrize("op", [Translate(pixels=8), Crop(padding=8), Cutout(size=8)])
def test_an_op_too_large_for_the_image_is_refused(op):
    with pytest.raises(ValidationError, match="8x8"):
        Images(source="digits", image_size=(8, 8), channels=1, augment=(op,))


def test_ops_are_found_by_kind_and_survive_json():
    data = Images(
        source="digits",
        image_size=(8, 8),
        channels=1,
        augment=[{"kind": "flip"}, {"kind": "crop", "padding": 2}],
    )
    assert data.augment == (Flip(), Crop(padding=2))
    assert Images.model_validate_json(data.model_dump_json()) == data
    with pytest.raises(ValidationError, match="Did you mean 'cutout'"):
        Images(source="digits", image_size=(8, 8), augment=[{"kind": "cutuot"}])
