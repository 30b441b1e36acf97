"""TensorFlow Datasets through its own builder: a real one on disk, and the ways it can be missing."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys

import numpy as np
import pytest
import tensorflow_datasets as tfds

from tkit_edge.errors import InputError
from tkit_pipelines.data.images import Images
from tkit_pipelines.resolve import resolve
from tkit_pipelines.source import Shape


class TkitImages(tfds.core.GeneratorBasedBuilder):
    """Three classes of 6x5 colour images."""

    VERSION = tfds.core.Version("1.0.0")
    SPLITS = {"train": 30, "test": 9}  # noqa: RUF012

    def _info(self):
        features = {
            "id": tfds.features.Text(),
            "image": tfds.features.Image(shape=(6, 5, 3), encoding_format="png"),
            "label": tfds.features.ClassLabel(names=["ant", "bee", "cow"]),
        }
        return self.dataset_info_from_configs(features=tfds.features.FeaturesDict(features))

    def _split_generators(self, manager):
        return {split: self._generate_examples(count) for split, count in self.SPLITS.items()}

    def _generate_examples(self, count):
        for number in range(count):
            image = np.full((6, 5, 3), number + count, np.uint8)
            yield number, {"id": str(number), "image": image, "label": number % 3}


class TkitTrainOnly(TkitImages):
    """The same without test images."""

    SPLITS = {"train": 30}  # noqa: RUF012


class TkitUnlabelled(TkitImages):
    """The same with a test split whose labels nobody gives."""

    def _generate_examples(self, count):
        for number, example in super()._generate_examples(count):
            yield number, example if count == 30 else {**example, "label": -1}


class TkitTestOnly(TkitImages):
    """The same without training images."""

    SPLITS = {"test": 30}  # noqa: RUF012


class TkitWords(tfds.core.GeneratorBasedBuilder):
    """No images at all."""

    VERSION = tfds.core.Version("1.0.0")

    def _info(self):
        return self.dataset_info_from_configs(features=tfds.features.FeaturesDict({"text": tfds.features.Text()}))

    def _split_generators(self, manager):
        return {"train": iter([(0, {"text": "hello"})])}

    def _generate_examples(self):
        raise NotImplementedError


class TkitOffline(TkitImages):
    """A set whose files lie on a host that doesn't exist."""

    url_infos = {"https://nowhere.invalid/images.zip": None}  # noqa: RUF012

    def _split_generators(self, manager):
        raise AssertionError("the download must not be tried")


class TkitFailing(TkitImages):
    """A set whose download fails."""

    def _split_generators(self, manager):
        raise ConnectionError("connection reset")


class TkitNeedsPackage(TkitImages):
    """A set that needs a package which isn't installed."""

    def _split_generators(self, manager):
        raise ModuleNotFoundError("No module named 'pydub'", name="pydub")


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.setenv("TFDS_DATA_DIR", str(tmp_path / "tfds"))
    return tmp_path / "tfds"


def test_a_set_is_prepared_and_read_whole(folder):
    loaded = resolve("tfds:tkit_images").load(Shape(6, 5, 3))
    assert (folder / "tkit_images" / "1.0.0").is_dir()
    assert loaded.class_names == ("ant", "bee", "cow")
    for examples, count in ((loaded.train, 30), (loaded.test, 9)):
        values = examples.images[:, 0, 0, 0].astype(int)
        assert sorted(values) == list(range(count, 2 * count))
        assert (examples.images == examples.images[:, :1, :1, :1]).all()
        np.testing.assert_array_equal(examples.labels, (values - count) % 3)


def test_the_second_load_comes_from_the_cache(monkeypatch):
    first = resolve("tfds:tkit_images").load(Shape(6, 5, 3))
    monkeypatch.setattr(TkitImages, "as_dataset", None)
    second = resolve("tfds:tkit_images").load(Shape(6, 5, 3))
    np.testing.assert_array_equal(first.train.images, second.train.images)


def test_without_a_test_split_a_fixed_part_is_held_out():
    data = Images(source="tfds:tkit_train_only", image_size=(6, 5), batch_size=4)
    first, second = data.load(0), data.load(1)
    assert np.bincount(first.test.labels).tolist() == [2, 2, 2]
    np.testing.assert_array_equal(first.test.images, second.test.images)


@pytest.mark.parametrize(
    ("name", "match"),
    [
        ("tkit_test_only", "no train split"),
        ("tkit_unlabelled", r"tfds:tkit_unlabelled test 0 has label -1; expected 0 to 2"),
        ("tkit_words", "not image classification"),
        ("tkit_pictuers", "knows no such set"),
        ("a b/", "knows no such set"),
        ("tkit_needs_package", "pip install pydub"),
    ],
)
def test_what_cannot_be_used_is_explained(name, match):
    with pytest.raises(InputError, match=match) as caught:
        resolve(f"tfds:{name}").load(Shape(6, 5, 3))
    assert len(str(caught.value)) < 700


@pytest.mark.parametrize("name", ["tkit_offline", "tkit_failing"])
def test_offline_names_the_three_ways_to_get_data(name, monkeypatch):
    for variable in ("http_proxy", "https_proxy", "all_proxy", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
        monkeypatch.delenv(variable, raising=False)
    with pytest.raises(InputError, match=r"network.*TFDS_DATA_DIR.*--data FOLDER/ARCHIVE"):
        resolve(f"tfds:{name}").load(Shape(6, 5, 3))


def test_a_prepared_folder_needs_neither_network_nor_the_sets_code(folder):
    """What a user copies from another machine: another process, which doesn't know the builder class."""
    resolve("tfds:tkit_images").load(Shape(6, 5, 3))
    shutil.rmtree(os.environ["TKIT_CACHE"])
    read = (
        "from tkit_pipelines.resolve import resolve\nfrom tkit_pipelines.source import Shape\n"
        "loaded = resolve('tfds:tkit_images').load(Shape(6, 5, 3))\n"
        "print(len(loaded.train), len(loaded.test), *loaded.class_names)"
    )
    run = subprocess.run([sys.executable, "-c", read], capture_output=True, text=True, check=True)
    assert run.stdout.split() == ["30", "9", "ant", "bee", "cow"]


def test_without_tfds_the_message_has_the_command(monkeypatch):
    monkeypatch.setitem(sys.modules, "tensorflow_datasets", None)
    with pytest.raises(InputError, match=r"needs TensorFlow Datasets: pip install 'keras-tkit\[tfds\]'"):
        resolve("tfds:cifar10").load(Shape(4, 4, 1))
