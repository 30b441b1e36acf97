"""Reading a .keras file: nested models and bare arithmetic become one flat model that computes the same."""

import keras
import numpy as np
from keras import layers

from tkit.keras_files.reader import read

IMAGES = np.random.default_rng(0).integers(0, 256, (5, 10, 12, 3)).astype(np.float32)


def saved(model, tmp_path):
    model.save(tmp_path / "mine.keras")
    return tmp_path / "mine.keras"


def test_nested_models_augmentation_and_arithmetic_become_stock_layers(tmp_path):
    keras.utils.set_random_seed(0)
    inputs = keras.Input((10, 12, 3))
    x = layers.RandomFlip()(inputs) / 127.5 - 1.0
    base = keras.Sequential([keras.Input((10, 12, 3)), layers.Conv2D(4, 3, name="conv"), layers.ReLU()], name="base")
    x = keras.activations.relu(base(x))
    x = layers.Conv2D(4, 3, name="conv", padding="same")(x) + x
    for function in ("relu", "relu6", "sigmoid", "silu", "hard_silu", "hard_sigmoid", "tanh"):
        x = x + getattr(keras.ops, function)(x)
    outputs = layers.Dense(3)(layers.Flatten()(x))
    model = keras.Model(inputs, outputs)
    found = read(saved(model, tmp_path), None)
    np.testing.assert_allclose(found.model.predict(IMAGES, verbose=0), model.predict(IMAGES, verbose=0), atol=1e-4)
    assert all(isinstance(layer, layers.Layer) and not isinstance(layer, keras.Model) for layer in found.model.layers)
    assert found.form == "logits"


def test_arithmetic_has_names_of_its_own_and_a_model_that_is_called_twice_is_the_same(tmp_path):
    keras.utils.set_random_seed(0)
    within = keras.Input((10, 12, 3))
    base = keras.Model(within, keras.ops.relu(3 - layers.Conv2D(3, 1)(within) * 2), name="base")
    inputs = keras.Input((10, 12, 3))
    x = layers.Rescaling(1 / 255, name="rescaling")(inputs) + 0.5
    x = layers.Add(name="add")([base(base(x)), x])
    model = keras.Model(inputs, layers.Dense(3)(layers.Flatten()(x)))
    found = read(saved(model, tmp_path), None)
    np.testing.assert_allclose(found.model.predict(IMAGES, verbose=0), model.predict(IMAGES, verbose=0), atol=1e-4)
    assert len(found.model.weights) == len(model.weights)
