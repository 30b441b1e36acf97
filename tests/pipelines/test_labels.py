"""Images whose labels are numbers, or that have none: what is read, divided and fed."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from tkit_edge.errors import InputError
from tkit_edge.inputs.image import Image
from tkit_pipelines.batches import Batches
from tkit_pipelines.data.images import Images
from tkit_pipelines.dataset import Examples
from tkit_pipelines.ops.cutmix import Cutmix
from tkit_pipelines.ops.mixup import Mixup

SIZE = {"image_size": (4, 4), "channels": 1}


def values(examples):
    return examples.images[:, 1, 1, 0].tolist()


@pytest.fixture
def table(tmp_path, write):
    """20 images, image i of grey value i, whose label is half of it."""
    files = {f"{number}.png": write["png"](number) for number in range(20)}
    files["list.csv"] = ("file,label\n" + "".join(f"{n}.png,{n / 2 - 3}\n" for n in range(20))).encode()
    return write["folder"](tmp_path / "table", files) / "list.csv"


def test_numbers_are_the_text_of_labels(table):
    splits = Images(source=str(table), labels="numbers", **SIZE).load(0)
    assert (splits.class_names, splits.remarks()) == ((), [])
    assert splits.input == Image(4, 4, 1, "crop")
    assert [len(part) for part in (splits.train, splits.validation, splits.test)] == [14, 2, 4]
    for part in (splits.train, splits.validation, splits.test):
        assert part.columns["number"].dtype == np.float32
        assert part.columns["number"].tolist() == [value / 2 - 3 for value in values(part)]
    assert splits.test.file(0).endswith(f"{values(splits.test)[0]}.png")


def test_names_of_folders_and_digits_can_be_numbers(tmp_path, write):
    folders = [f"{split}/{name}" for split in ("train", "test") for name in ("-1.5", "2e1")]
    files = {f"{folder}/{number}.png": write["png"](number) for folder in folders for number in range(4)}
    splits = Images(source=str(write["folder"](tmp_path / "set", files)), labels="numbers", **SIZE).load(0)
    assert splits.test.columns["number"].tolist() == [-1.5] * 4 + [20] * 4
    digits = Images(source="digits", labels="numbers", **SIZE).load(0)
    assert set(digits.train.columns["number"]) == set(range(10))


def test_a_label_that_is_no_number_is_named(tmp_path, tree, write):
    source = str(write["folder"](tmp_path / "set", tree))
    with pytest.raises(InputError, match="the label 'cat' is no number, as data.labels=numbers expects"):
        Images(source=source, labels="numbers", **SIZE).load(0)


@pytest.mark.parametrize("kind", ["folder", "tar", "zip"])
def test_images_without_labels_need_no_class_folders(tmp_path, write, kind):
    names = [*(f"{number}.png" for number in range(8)), *(f"more/of/them/{number}.png" for number in range(8, 20))]
    files = {name: write["png"](number) for number, name in enumerate(names)} | {"README.md": b"not an image"}
    data = Images(source=str(write[kind](tmp_path / "set", files)), labels="none", **SIZE)
    splits = data.load(0)
    assert list(splits.train.columns) == ["image"] and splits.class_names == ()
    assert [len(part) for part in (splits.train, splits.validation, splits.test)] == [14, 2, 4]
    assert sorted(values(splits.train) + values(splits.validation) + values(splits.test)) == list(range(20))
    assert values(splits.train) != values(data.load(1).train) and values(splits.test) == values(data.load(1).test)
    assert len(splits.remarks()) == 1 and "README.md" in splits.remarks()[0]
    assert splits.train.encoded(0) == files[names[values(splits.train)[0]]]
    with pytest.raises(InputError, match="only one class|no class folders"):
        Images(source=data.source, **SIZE).load(0)


def test_labels_are_ignored_and_splits_are_kept(tmp_path, tree, write):
    source = str(write["folder"](tmp_path / "set", {f"wrapped/{name}": data for name, data in tree.items()}))
    splits = Images(source=source, labels="none", **SIZE).load(0)
    assert values(splits.test) == [50, 51, 150, 151] and len(splits.train) + len(splits.validation) == 16
    with_classes = Images(source=source, **SIZE).load(0)  # from an entry of its own in the cache
    assert with_classes.class_names == ("cat", "dog") and with_classes.train.labels.max() == 1


@pytest.mark.parametrize(
    ("names", "test", "left_out"),
    [
        (("train", "val"), 4, 0),
        (("train", "val", "test"), 4, 0),
        (("train", "test", "odd"), 4, 1),
        (("train", "odd"), 2, 0),
    ],
)
def test_split_folders_may_hold_images_themselves(tmp_path, write, names, test, left_out):
    files = {f"{name}/{number}.png": write["png"](number) for name in names for number in range(4)}
    splits = Images(source=str(write["folder"](tmp_path / "set", files)), labels="none", **SIZE).load(0)
    assert len(splits.test) == test
    assert sum("is left out: it is no split" in line for line in splits.remarks()) == left_out
    assert len(splits.train) + len(splits.validation) + len(splits.test) == 4 * (len(names) - left_out)


def test_a_folder_without_images_is_refused(tmp_path):
    with pytest.raises(InputError, match="no images found"):
        Images(source=str(tmp_path), labels="none", **SIZE).load(0)


@pytest.mark.parametrize("rank", [1, 2])
def test_ops_that_mix_images_mix_their_numbers_alike(table, rank):
    """All images are of one grey value but for a pixel that mixing leaves alone, and so is their number."""
    data = Images(source=str(table), labels="numbers", batch_size=14, augment=(Mixup(alpha=1),), **SIZE)
    batches = Batches(data.load(0).train, data, lambda columns: tf.reshape(columns["number"], [-1, 1][:rank]), seed=0)
    images, numbers = batches.batch(0, 0)
    assert numbers.shape == [14, 1][:rank]
    mixed = np.ravel(numbers) * 2 + 6
    assert not np.allclose(mixed, np.round(mixed))
    np.testing.assert_allclose(images[:, 1, 1, 0], mixed, atol=0.51)


def test_ops_that_mix_images_need_no_labels(table):
    splits = Images(source=str(table), labels="numbers", **SIZE).load(0)
    data = Images(source=str(table), labels="none", batch_size=14, augment=(Mixup(), Cutmix()), **SIZE)
    (images,) = Batches(Examples({"image": splits.train.images}), data, dict, seed=0).batch(0, 0)
    numbers = data.model_copy(update={"labels": "numbers"})
    expected, _ = Batches(splits.train, numbers, lambda columns: columns["number"], seed=0).batch(0, 0)
    np.testing.assert_array_equal(images, expected)
