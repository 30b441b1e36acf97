"""Saving and rebuilding trained models, with classes from an allow-list."""

import json

import keras
import numpy as np
import pytest

from tkit import model_files
from tkit.models import Spec, Statistics
from tkit.models.resnet import ResNet
from tkit_edge.errors import InputError


@pytest.fixture
def model():
    return ResNet(depth=8, width=4).build(Spec.of_images((8, 8, 3), 5, Statistics(100.0, 4000.0)))


def test_what_is_saved_comes_back_and_the_keras_file_loads_without_tkit(model, tmp_path):
    model_files.save(model, tmp_path)
    inputs = np.random.default_rng(0).uniform(0, 255, (4, 8, 8, 3)).astype(np.float32)
    expected = model.predict(inputs, verbose=0)
    np.testing.assert_array_equal(model_files.load(tmp_path).predict(inputs, verbose=0), expected)
    stock = keras.saving.load_model(tmp_path / "model.keras", safe_mode=True)
    np.testing.assert_array_equal(stock.predict(inputs, verbose=0), expected)


@pytest.mark.parametrize(
    "layer", [{"class_name": "Lambda", "module": "keras.layers"}, {"class_name": "system", "module": "os"}]
)
def test_classes_outside_the_allow_list_are_refused(model, tmp_path, layer):
    model_files.save(model, tmp_path)
    path = tmp_path / "architecture.json"
    config = json.loads(path.read_text())
    config["config"]["layers"][3] = {**config["config"]["layers"][3], **layer}
    path.write_text(json.dumps(config))
    with pytest.raises(InputError, match=layer["class_name"]):
        model_files.load(tmp_path)


def test_damaged_weights_are_named(model, tmp_path):
    model_files.save(model, tmp_path)
    path = tmp_path / "weights.npz"
    path.write_bytes(path.read_bytes()[:1000])
    with pytest.raises(InputError, match=r"weights.npz is no whole .npz file"):
        model_files.load(tmp_path)


def edited(folder, old, new):
    path = folder / "architecture.json"
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        (
            '"units": 5',
            '"units": 1000000000000',
            r"json: .* logits/kernel of float32 \[16, 1000000000000\]",
        ),
        ('"units": 5', '"units": -1', "describes no model that Keras can build"),
        ('"class_name": "Functional"', '"class": "Functional"', "that Keras can build: it gives a dict"),
        ('"class_name": "Dense"', '"class_name": ["Dense"]', "which tkit doesn't load"),
        ('"units": 5', '"units": ' + "[" * 200 + "]" * 200, "at most 100 levels"),
    ],
)
def test_an_architecture_that_was_tampered_with_is_refused_before_it_takes_memory(model, tmp_path, old, new, message):
    model_files.save(model, tmp_path)
    edited(tmp_path, old, new)
    with pytest.raises(InputError, match=message):
        model_files.load(tmp_path)
    with keras.StatelessScope():
        pass  # nothing is left that Keras would make here


def test_weights_that_unpack_to_more_than_the_file_are_refused(model, tmp_path):
    model_files.save(model, tmp_path)
    np.savez_compressed(tmp_path / "weights.npz", zeros=np.zeros(10_000_000, np.uint8))
    with pytest.raises(InputError, match="unpacks to"):
        model_files.load(tmp_path)
