"""A model and data of the user's own program, adopted: what becomes of them, and what is refused with what to do."""

from __future__ import annotations

import json

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers

import tkit
from tkit import model_files
from tkit.models import Spec
from tkit.run_folder import Run
from tkit.stages._common import data_of
from tkit_edge.errors import InputError
from tkit_edge.inputs.image import Image
from tkit_edge.inputs.tensors import Tensors
from tkit_edge.tensors import TensorSpec

COUNT = 60
IMAGES = np.random.default_rng(0).integers(0, 256, (COUNT, 6, 5, 3)).astype(np.uint8)
LABELS = np.arange(COUNT) % 3
STANDARDIZED = (IMAGES.astype(np.float32) - 120) / 60


@pytest.fixture(autouse=True)
def folders(tmp_path, monkeypatch):
    monkeypatch.setenv("TKIT_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("TKIT_RUNS", str(tmp_path / "runs"))
    keras.utils.set_random_seed(0)


def classifier(*front, outputs=3, activation="softmax", shape=(6, 5, 3)):
    return keras.Sequential(
        [keras.Input(shape), *front, layers.Flatten(), layers.Dense(outputs, activation=activation)]
    )


@pytest.mark.parametrize(
    ("front", "x", "pixels"),
    [
        ((), IMAGES, "0-255"),
        ((layers.Rescaling(1 / 255),), IMAGES.astype(np.float32), "0-255"),
        ((), (IMAGES / 255).astype(np.float32), "0-1"),
        ((), IMAGES / 127.5 - 1, "-1-1"),
    ],
)
def test_pixels_are_taken_as_the_model_takes_them_and_the_run_is_one_of_images(front, x, pixels):
    model = classifier(*front)
    run = tkit.adopt(model, (x, LABELS))
    assert (run.recipe.model.pixels, run.recipe.data.kind, type(run.input)) == (pixels, "images", Image)
    ours = model_files.load(run.folder / "float").predict(IMAGES.astype(np.float32), verbose=0)
    np.testing.assert_allclose(ours, model.predict(x, verbose=0), atol=1e-5)


def test_other_numbers_stay_the_tensors_that_they_are_and_all_stages_take_them():
    model = classifier()
    run = tkit.adopt(model, (STANDARDIZED, LABELS), class_names=["ant", "bee", "cow"])
    assert (run.recipe.data.kind, type(run.input), run.output.names) == ("arrays", Tensors, ("ant", "bee", "cow"))
    examples = data_of(run).validation.arrays(["image"])["image"]
    ours = model_files.load(run.folder / "float").predict(examples, verbose=0)
    np.testing.assert_allclose(ours, model.predict(examples, verbose=0), atol=1e-6)
    again = Run.open(run.folder)  # as another process does
    tkit.export(again, overrides=["export.formats=float32,int8", "export.parity.agreement=0"])
    assert tkit.evaluate(again, format="int8")["samples"] == 12
    tkit.bench(again, overrides=["bench.seconds=0.01"])
    with pytest.raises(InputError, match="ends in a softmax"):  # it was read as one of tensors again
        run.recipe.model.build(
            Spec((TensorSpec("image", (6, 5, 3), "float32"),), (TensorSpec("l", (3,), "float32"),), {})
        )


def test_the_object_is_not_changed_and_its_compile_is_left_alone():
    shared = layers.Dense(3, name="twice")
    inputs = keras.Input((6, 5, 3))
    inner = keras.Sequential([keras.Input((90,)), layers.Dense(3, name="twice")])
    flat = layers.Flatten()(inputs)
    model = keras.Model(inputs, layers.Add()([shared(flat), inner(flat)]))
    model.compile("adam", lambda true, predicted: keras.ops.mean(predicted))
    names, weights, optimizer = [layer.name for layer in model.layers], model.get_weights(), model.optimizer
    tkit.adopt(model, (STANDARDIZED, LABELS))
    assert (shared.name, inner.layers[0].name, model.compiled, model.optimizer) == ("twice", "twice", True, optimizer)
    assert [layer.name for layer in model.layers] == names
    for now, then in zip(model.get_weights(), weights, strict=True):
        np.testing.assert_array_equal(now, then)
    model.fit(STANDARDIZED, LABELS, verbose=0)


def test_the_same_objects_are_the_same_run_and_others_are_new_ones(tmp_path):
    model = classifier()
    first = tkit.adopt(model, (IMAGES, LABELS))
    assert tkit.adopt(model, (IMAGES.copy(), LABELS.copy())).folder == first.folder
    assert tkit.adopt(keras.models.clone_model(model), (IMAGES, LABELS)).folder != first.folder
    assert tkit.adopt(model, (IMAGES[::-1], LABELS[::-1])).folder not in (first.folder,)
    assert len(list((tmp_path / "runs" / "objects").iterdir())) == 4  # two models, two data sets


def test_parts_stay_what_they_are():
    parts = (IMAGES, LABELS), (IMAGES[:6], LABELS[:6]), (IMAGES[:9], LABELS[:9])
    for x in (lambda part: part, lambda part: (part[0] / 16, part[1])):
        splits = data_of(tkit.adopt(classifier(), tuple(map(x, parts))))
        assert [len(part) for part in (splits.train, splits.validation, splits.test)] == [60, 6, 9]
    splits = data_of(tkit.adopt(classifier(), (parts[0], parts[2])))
    assert [len(part) for part in (splits.train, splits.validation, splits.test)] == [54, 6, 9]
    np.testing.assert_array_equal(splits.test.images, IMAGES[:9])


def test_a_file_and_arrays_go_together(tmp_path):
    model = classifier()
    model.save(tmp_path / "mine.keras")
    pixels = tkit.adopt(tmp_path / "mine.keras", (IMAGES / 255, LABELS))
    tensors = tkit.adopt(str(tmp_path / "mine.keras"), (STANDARDIZED, LABELS))
    assert (pixels.recipe.model.pixels, tensors.recipe.data.kind) == ("0-1", "arrays")
    assert pixels.recipe.model.path == str((tmp_path / "mine.keras").resolve())


def two_inputs(outputs=3):
    one, other = keras.Input((4,), name="one"), keras.Input((2,), dtype="int32", name="other")
    joined = layers.Concatenate()([one, layers.Flatten()(layers.Embedding(9, 2)(other))])
    return keras.Model([one, other], layers.Dense(outputs)(joined))


ONE, OTHER = np.random.default_rng(0).normal(size=(COUNT, 4)), LABELS[:, None] + np.arange(2)


@pytest.mark.parametrize("x", [[ONE, OTHER], {"other": OTHER, "one": ONE}, (ONE, OTHER)])
def test_several_inputs_are_a_list_or_a_dict(x):
    columns = data_of(tkit.adopt(two_inputs(), (x, LABELS))).train.columns
    assert {name: str(column.dtype) for name, column in columns.items()} == {
        "label": "int32",
        "one": "float32",
        "other": "int32",
    }


def test_numbers_are_predicted_of_images_and_tensors():
    prices = np.random.default_rng(0).normal(size=COUNT)
    for x in (IMAGES, STANDARDIZED):
        run = tkit.adopt(classifier(outputs=1, activation=None), (x, prices))
        assert (run.recipe.task.kind, run.recipe.data.labels) == ("regression", "numbers")
        test = data_of(run).test.columns["number"]
        assert set(test) <= set(prices.astype(np.float32))


def test_without_labels_the_model_is_judged_by_agreement():
    for x in (IMAGES, STANDARDIZED, {"image": STANDARDIZED}):
        assert tkit.adopt(classifier(), (x,)).recipe.task.kind == "inference"


def test_a_data_set_is_recorded_and_the_manifest_says_what_that_means():
    dataset = tf.data.Dataset.from_tensor_slices((IMAGES, keras.utils.to_categorical(LABELS))).shuffle(99).batch(7)
    run = tkit.adopt(classifier(), dataset)
    manifest = json.loads((run.folder / "manifest.json").read_text())
    assert manifest["data_note"] == "one pass over the data set was recorded; what it draws at random is fixed"
    assert tkit.evaluate(Run.open(run.folder))["samples"] == 12
    assert "data_note" not in tkit.adopt(classifier(), (IMAGES, LABELS)).manifest


def test_evaluate_takes_a_model_and_data():
    model = classifier()
    assert tkit.evaluate(model, data=(IMAGES, LABELS))["samples"] == 12
    with pytest.raises(InputError, match=r"goes with the model: tkit.adopt\(model, data\)"):
        tkit.evaluate(tkit.adopt(model, (IMAGES, LABELS)), data=(IMAGES, LABELS))


class Subclassed(keras.Model):
    def __init__(self):
        super().__init__()
        self.dense = layers.Dense(3)

    def call(self, inputs):
        return self.dense(keras.ops.reshape(inputs, (-1, 90)))


class OwnStep(keras.Model):
    def train_step(self, data):
        return {}


class OwnLayer(layers.Layer):
    def call(self, inputs):
        return inputs


def subclassed():
    model = Subclassed()
    model(IMAGES)
    return model


def lazily_built():
    model = keras.Sequential([layers.Flatten(), layers.Dense(3)])
    model(IMAGES)
    return model


def test_a_functional_model_with_a_train_step_of_its_own_is_taken_and_one_that_was_built_by_a_call():
    inputs = keras.Input((6, 5, 3))
    own = OwnStep(inputs, layers.Dense(3)(layers.Flatten()(inputs)))
    for model in (own, lazily_built()):
        found = model_files.load(tkit.adopt(model, (IMAGES, LABELS)).folder / "float")
        np.testing.assert_allclose(found(IMAGES), model(IMAGES), atol=1e-3)


def any_size():
    return keras.Sequential([keras.Input((None, None, 3)), layers.GlobalAveragePooling2D(), layers.Dense(3)])


def own_function(x):
    return x


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (subclassed, "is a Subclassed, a subclass whose call is Python code.*Make a functional model"),
        (lambda: keras.Sequential([layers.Flatten(), layers.Dense(3)]), "isn't built.*begin it with keras.Input"),
        (lambda: classifier(OwnLayer(name="mine")), "layer 'mine' is a OwnLayer, which isn't a class of Keras's own"),
        (lambda: classifier(layers.Lambda(lambda x: x, name="code")), "layer 'code' is a Lambda"),
        (lambda: classifier(layers.Dense(3, lambda x: x, name="last")), "layer 'last' has a lambda as its activation"),
        (lambda: classifier(layers.Dense(3, own_function)), "the Python function 'own_function'"),
        (any_size, r"takes images of any size, \[None, None, None, 3\]"),
        (lambda: np.zeros(3), "model is a ndarray: expected a keras.Model"),
    ],
)
def test_a_model_that_cannot_be_taken_is_told_with_what_to_do_and_nothing_is_made(make, message, tmp_path):
    with pytest.raises(InputError, match=message):
        tkit.adopt(make(), (IMAGES, LABELS))
    assert not (tmp_path / "runs").exists()


@pytest.mark.parametrize(
    ("model", "data", "settings", "message"),
    [
        (
            classifier,
            (IMAGES[:, :4], LABELS),
            {},
            r"x is uint8 \[n, 4, 5, 3\]; .* takes image \[n, 6, 5, 3\]",
        ),
        (classifier, (IMAGES, LABELS + 1), {}, "labels 1 to 3: expected 0 to 2, as the model .* has 3 outputs"),
        (classifier, (IMAGES / 255, LABELS), {"pixels": "-1-1"}, "x are pixels of 0-1. Leave pixels out"),
        (classifier, (STANDARDIZED, LABELS), {"pixels": "0-1"}, "x has other numbers. Leave pixels out"),
        (
            classifier,
            (STANDARDIZED * np.nan, LABELS),
            {},
            r"x\['image'\] has NaN or infinite values, .* row 0",
        ),
        (classifier, "digits", {"class_names": ["a"]}, "class_names are for arrays"),
        (two_inputs, (ONE, LABELS), {}, r"x has 1 arrays; .* takes one \[4\], other \[2\]: expected a dict"),
        (two_inputs, ({"one": ONE, "two": OTHER}, LABELS), {}, "x has one, two; "),
        (two_inputs, ([ONE, OTHER + 0.5], LABELS), {}, "values that int32 doesn't have"),
    ],
)
def test_data_that_does_not_fit_is_told_with_both_sides(model, data, settings, message):
    with pytest.raises(InputError, match=message):
        tkit.adopt(model(), data, **settings)
