"""Batch normalization folded away: the same function, fewer layers."""

import keras
import numpy as np
import pytest
from keras import layers

from tkit.models import Spec, Statistics
from tkit.models.mobilenet import MobileNet
from tkit.models.resnet import ResNet
from tkit.passes.folding import factors, fold

STATISTICS = Statistics(128.0, 4000.0)


def shaken(model):
    """`model` with normalization that has seen something: no weight as it was made."""
    random = np.random.default_rng(0)
    for layer in model.layers:
        if isinstance(layer, layers.BatchNormalization):
            sizes = [variable.shape for variable in layer.weights]
            layer.set_weights([random.uniform(0.5, 2, size) * random.choice([-1, 1], size) for size in sizes])
            layer.moving_variance.assign(random.uniform(0.5, 2, layer.moving_variance.shape))
    return model


def concatenated():
    inputs = keras.Input((8, 8, 3))
    left = layers.ReLU()(layers.BatchNormalization()(layers.Conv2D(4, 3, padding="same")(inputs)))
    right = layers.BatchNormalization(scale=False)(layers.Conv2D(4, 3, padding="same", use_bias=False)(inputs))
    x = layers.Concatenate()([left, right, left])
    return keras.Model(inputs, layers.Dense(3)(layers.GlobalAveragePooling2D()(x)))


def transposed():
    inputs = keras.Input((4, 4, 3))
    x = layers.Conv2DTranspose(5, 3, strides=2, padding="same", use_bias=False)(inputs)
    x = layers.ReLU()(layers.BatchNormalization(center=False)(x))
    x = layers.DepthwiseConv2D(3, depth_multiplier=2)(x)
    return keras.Model(inputs, layers.Flatten()(layers.BatchNormalization()(x)))


def dense():
    inputs = keras.Input((4, 4, 3))
    x = layers.BatchNormalization()(layers.Dense(6)(layers.Flatten()(inputs)))
    return keras.Model(inputs, layers.Dense(2)(layers.ReLU()(x)))


def projected():
    inputs = keras.Input((5,))
    x = layers.Reshape((2, 2, 3))(layers.Dense(12, use_bias=False)(inputs))
    x = layers.Conv2DTranspose(4, 4, strides=2, padding="same")(layers.ReLU()(layers.BatchNormalization()(x)))
    return keras.Model(inputs, layers.BatchNormalization()(x))


MODELS = {
    "resnet": lambda: ResNet(depth=8).build(Spec.of_images((16, 16, 3), 5, STATISTICS)),
    "mobilenet": lambda: MobileNet().build(Spec.of_images((32, 32, 3), 5, STATISTICS)),
    "concatenated": concatenated,
    "transposed": transposed,
    "dense": dense,
    "projected": projected,
}


@pytest.mark.parametrize("name", MODELS)
def test_the_folded_model_is_the_same_function_without_normalization(name):
    model = shaken(MODELS[name]())
    folded = fold(model)
    images = np.random.default_rng(1).uniform(0, 255, (8, *model.inputs[0].shape[1:])).astype(np.float32)
    expected = model.predict(images, verbose=0)
    np.testing.assert_allclose(
        folded.predict(images, verbose=0), expected, rtol=1e-5, atol=1e-5 * np.abs(expected).max()
    )
    norms = {layer.name for layer in model.layers if isinstance(layer, layers.BatchNormalization)}
    assert norms
    assert {layer.name for layer in folded.layers} == {layer.name for layer in model.layers} - norms


def test_a_normalization_that_others_stand_before_stays():
    inputs = keras.Input((8, 8, 3))
    conv = layers.Conv2D(3, 3, padding="same")(inputs)
    shared = layers.Add()([layers.BatchNormalization(name="shared")(conv), conv])
    activated = layers.BatchNormalization(name="activated")(layers.Conv2D(4, 3, activation="relu")(shared))
    model = shaken(keras.Model(inputs, layers.Flatten()(layers.BatchNormalization(name="twice")(activated))))
    folded = fold(model)
    assert {"shared", "activated", "twice"} <= {layer.name for layer in folded.layers}
    images = np.random.default_rng(1).uniform(0, 1, (4, 8, 8, 3)).astype(np.float32)
    np.testing.assert_allclose(folded(images), model(images), rtol=1e-5, atol=1e-5)


def test_factors_are_what_each_channel_was_multiplied_by():
    model = shaken(ResNet(depth=8).build(Spec.of_images((16, 16, 3), 5, STATISTICS)))
    folded = fold(model)
    before, after = (item.get_layer("stem_conv").kernel.numpy() for item in (model, folded))
    np.testing.assert_allclose(before * factors(model)["stem_conv"], after, rtol=1e-6)
    assert "logits" not in factors(model)
