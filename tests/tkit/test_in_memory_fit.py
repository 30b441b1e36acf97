"""A recipe trained on what a user has in memory, and objects that name a source: builders and tables of files."""

from __future__ import annotations

import json

import keras
import numpy as np
import pytest
import tensorflow as tf
import tensorflow_datasets as tfds
from keras import layers
from PIL import Image

import tkit
from tkit.run_folder import Run
from tkit.stages._common import data_of
from tkit_edge.errors import InputError

COUNT = 60
IMAGES = np.random.default_rng(0).integers(0, 256, (COUNT, 8, 8)).astype(np.uint8)
LABELS = np.arange(COUNT) % 3
TEXTS = ["stir the soup", "snow in the hills", "the train to Rome"] * (COUNT // 3)
EPOCH = ["fit.epochs=1"]


@pytest.fixture(autouse=True)
def folders(tmp_path, monkeypatch):
    monkeypatch.setenv("TKIT_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("TKIT_RUNS", str(tmp_path / "runs"))


def test_images_in_memory_go_through_all_stages_and_another_process_reads_them_again(tmp_path):
    run = tkit.run(
        "digits_cnn",
        data=((IMAGES / 255, LABELS), (IMAGES[:9] / 255, LABELS[:9])),
        class_names=["ant", "bee", "cow"],
        overrides=[*EPOCH, "export.formats=int8", "export.parity.agreement=0", "bench.seconds=0.01"],
    )
    again = Run.open(run.folder)
    assert (again.output.names, again.input.shape) == (("ant", "bee", "cow"), (8, 8, 1))
    assert tkit.evaluate(again)["samples"] == 9
    np.testing.assert_array_equal(data_of(again).test.images[..., 0], IMAGES[:9])
    assert again.recipe.data.source.startswith(str(tmp_path / "runs" / "objects"))


def test_texts_in_memory_are_trained_on():
    dataset = tf.data.Dataset.from_tensor_slices((TEXTS, LABELS)).batch(7)
    for data in ((TEXTS, ["cooking", "weather", "travel"] * 20), dataset):
        run = tkit.fit("sst2_fasttext", data=data, class_names=["cooking", "weather", "travel"], overrides=EPOCH)
        assert (run.input.kind, set(run.output.names)) == ("text", {"cooking", "weather", "travel"})
    assert run.manifest["data_note"].startswith("one pass over the data set")


def test_numbers_are_learned_and_a_source_is_still_a_source():
    run = tkit.fit("digits_regression", data=(IMAGES, np.linspace(0, 1, COUNT)), overrides=EPOCH)
    assert run.output.kind == "number"
    assert tkit.fit("digits_cnn", data="synthetic:3", dry_run=True).recipe.data.source == "synthetic:3"


@pytest.mark.parametrize(
    ("recipe", "arguments", "message"),
    [
        ("digits_cnn", {"data": IMAGES}, r"learns classes \(data.labels\), and data has no labels"),
        ("digits_cnn", {"data": (IMAGES / 77, LABELS)}, "expected images of 8-bit pixels"),
        ("digits_cnn", {"data": ([IMAGES, IMAGES], LABELS)}, "x has 2 arrays; the recipe's data has one input"),
        ("digits_regression", {"data": (IMAGES, ["a"] * COUNT)}, "texts, and data.labels=numbers expects numbers"),
        ("sst2_fasttext", {"data": (IMAGES, LABELS)}, "expected texts, a list or array"),
        ("digits_cnn", {"data": "digits", "class_names": ["a"]}, "class_names are for arrays"),
    ],
)
def test_what_a_recipe_cannot_learn_from_is_told_before_anything_is_made(recipe, arguments, message, tmp_path):
    with pytest.raises(InputError, match=message):
        tkit.fit(recipe, **arguments)
    assert not (tmp_path / "runs").exists()


def test_a_resumed_run_has_its_data(tmp_path):
    with pytest.raises(InputError, match="A resumed run has its data"):
        tkit.fit(resume=tmp_path, data=(IMAGES, LABELS))


class Squares(tfds.core.GeneratorBasedBuilder):
    """Two classes of images."""

    VERSION = tfds.core.Version("1.0.0")

    def _info(self):
        features = {"image": tfds.features.Image(shape=(8, 8, 1)), "label": tfds.features.ClassLabel(names=["a", "b"])}
        return self.dataset_info_from_configs(features=tfds.features.FeaturesDict(features))

    def _split_generators(self, manager):
        return {"train": self._generate_examples()}

    def _generate_examples(self):
        for number in range(30):
            yield number, {"image": IMAGES[number, ..., None], "label": number % 2}


def classifier():
    return keras.Sequential([keras.Input((8, 8, 1)), layers.Rescaling(1 / 255), layers.Flatten(), layers.Dense(2)])


def test_a_tfds_builder_is_read_where_its_data_lies(tmp_path):
    builder = Squares(data_dir=tmp_path / "own")
    with pytest.raises(InputError, match=r"has no data yet: builder.download_and_prepare\(\)"):
        tkit.adopt(classifier(), builder)
    builder.download_and_prepare()
    run = tkit.adopt(classifier(), builder)
    assert run.output.names == ("a", "b")
    assert tkit.evaluate(Run.open(run.folder))["samples"] == 6


def test_a_table_of_files_is_recorded_with_paths_that_hold_everywhere(tmp_path, monkeypatch):
    pandas = pytest.importorskip("pandas")
    for number in range(30):
        Image.fromarray(IMAGES[number]).save(tmp_path / f"{number}.png")
    monkeypatch.chdir(tmp_path)
    files = [f"{number}.png" for number in range(30)]
    table = pandas.DataFrame({"Image": files, "note": "-", "label": ["a", "b"] * 15})
    run = tkit.adopt(classifier(), table)
    monkeypatch.chdir("/")
    assert tkit.evaluate(Run.open(run.folder))["samples"] == 6
    with pytest.raises(InputError, match="has the columns note, label: expected one with the images' files"):
        tkit.adopt(classifier(), table[["note", "label"]])
    texts = pandas.DataFrame({"text": TEXTS, "label": LABELS})
    assert tkit.fit("sst2_fasttext", data=texts, overrides=EPOCH).output.names == ("0", "1", "2")


def test_the_recipe_of_a_run_names_what_was_recorded(tmp_path):
    run = tkit.fit("digits_cnn", data=(IMAGES, LABELS), dry_run=True)
    source = json.loads((run.folder / "recipe.json").read_text())["data"]["source"]
    assert np.load(source)["x_train"].shape == (COUNT, 8, 8)
