"""Models with one score for two classes: they become models of two."""

import keras
import numpy as np
import pytest
from keras import layers, ops

from tkit.keras_files.reader import Found, with_outputs
from tkit_edge.errors import InputError
from tkit_edge.inputs.image import Image
from tkit_edge.tensors import TensorSpec

SHAPE = (8, 8, 3)
IMAGES = np.random.default_rng(0).integers(0, 256, (4, *SHAPE)).astype(np.float32)


def scores(model, images=IMAGES):
    return np.asarray(keras.tree.flatten(model.predict(images, verbose=0))[0], np.float32)


HEADS = {
    "sigmoid": lambda x: layers.Dense(1, activation="sigmoid", name="mine")(x),
    "logit": lambda x: layers.Dense(1, name="mine")(x),
    "activation layer": lambda x: layers.Activation("sigmoid", name="mine")(layers.Dense(1, use_bias=False)(x)),
    "operation": lambda x: ops.sigmoid(layers.Dense(1, name="mine")(x)),
}
OTHER_HEADS = {
    "convolution": lambda x: layers.GlobalAveragePooling2D()(layers.Conv2D(1, 1)(x)),
    "flat convolution": lambda x: layers.Flatten()(layers.Conv2D(1, 8, activation="sigmoid")(x)),
    "dropout between": lambda x: ops.sigmoid(layers.Dropout(0.5)(layers.Dense(1)(layers.Flatten()(x)))),
    "squeezed": lambda x: ops.squeeze(layers.Conv2D(1, 8, activation="sigmoid")(x), (1, 2)),
}


def found_as(model, activation):
    return Found(model, Image(*SHAPE, "keras"), (TensorSpec("score", (1,), "float32"),), activation, "0-255")


@pytest.mark.parametrize("name", [*HEADS, *OTHER_HEADS])
def test_one_score_for_two_classes_becomes_two_of_the_same_probabilities(name, taken):
    head = HEADS.get(name, OTHER_HEADS.get(name))
    inputs = keras.Input(SHAPE)
    x = layers.Conv2D(4, 3, padding="same")(layers.Rescaling(1 / 255)(inputs))
    model = keras.Model(inputs, head(layers.Flatten()(x) if name in HEADS else x))
    for variable in model.weights:
        variable.assign(np.random.default_rng(0).normal(size=variable.shape) * 0.3)
    ours, answer = taken(model)
    activation = answer["activation"]
    both = with_outputs(found_as(ours, activation), 2, "mine.keras")
    second = scores(model)[:, 0]
    wanted = np.stack([1 - second, second] if activation else [-second / 2, second / 2], axis=1)
    np.testing.assert_allclose(scores(both.model), wanted, atol=1e-5)
    assert both.activation == ("softmax" if activation else None)
    if name in HEADS:  # no layer that the user didn't make
        assert {layer.name for layer in both.model.layers} == {layer.name for layer in ours.layers}


def test_a_softmax_over_one_score_is_refused(taken):
    inputs = keras.Input(SHAPE)
    model = keras.Model(
        inputs, layers.Dense(1, activation="softmax")(layers.Flatten()(layers.Rescaling(1 / 255)(inputs)))
    )
    ours, answer = taken(model)
    with pytest.raises(InputError, match="softmax over a single score, which is 1 for every image"):
        with_outputs(found_as(ours, answer["activation"]), 2, "mine.keras")
