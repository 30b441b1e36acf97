"""4x4 convolutions of stride 2 as they are trained: equal to Keras's own layers."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers

from tkit.training.strided import StridedConv2D, StridedConv2DTranspose, faster
from tkit.training.twin import training_twin


def gradients(layer, images):
    with tf.GradientTape() as tape:
        tape.watch(images)
        loss = tf.reduce_sum(tf.square(tf.cast(layer(images), tf.float32)))
    return [np.asarray(item) for item in tape.gradient(loss, [images, *layer.trainable_variables])]


@pytest.mark.parametrize(("policy", "tolerance"), [("float32", 1e-5), ("mixed_bfloat16", 0.02)])
@pytest.mark.parametrize(
    ("own", "stock", "channels", "filters"),
    [
        (StridedConv2D, layers.Conv2D, 16, 18),
        (StridedConv2D, layers.Conv2D, 3, 18),
        (StridedConv2DTranspose, layers.Conv2DTranspose, 20, 18),
        (StridedConv2DTranspose, layers.Conv2DTranspose, 20, 3),
        (StridedConv2DTranspose, layers.Conv2DTranspose, 20, 1),
    ],
)
def test_outputs_and_gradients_are_those_of_the_stock_layer(own, stock, channels, filters, policy, tolerance):
    keras.utils.set_random_seed(0)
    settings = {"kernel_size": 4, "strides": 2, "padding": "same", "activation": "tanh", "dtype": policy}
    layer, other = own(filters, **settings), stock(filters, **settings)
    images = tf.random.normal((3, 8, 12, channels))
    layer.build(images.shape)
    other.build(images.shape)
    other.set_weights(layer.get_weights())
    np.testing.assert_allclose(*(tf.cast(one(images), tf.float32) for one in (layer, other)), atol=tolerance)
    for found, wanted in zip(gradients(layer, images), gradients(other, images), strict=True):
        np.testing.assert_allclose(found, wanted, atol=tolerance * np.abs(wanted).max())


def test_they_train_where_they_are_faster_alone():
    inputs = keras.Input((16, 16, 16))
    x = layers.Conv2D(16, 4, strides=2, padding="same", name="fast")(inputs)
    x = layers.Conv2D(16, 3, strides=2, padding="same", name="other_kernel")(x)
    x = layers.Conv2DTranspose(12, 4, strides=2, padding="same", name="some_channels")(x)
    x = layers.Conv2DTranspose(3, 4, strides=2, padding="same", name="pixels")(x)
    model = keras.Model(inputs, layers.Flatten()(x))
    named = {name: model.get_layer(name) for name in ("fast", "other_kernel", "some_channels", "pixels")}
    found = {name: faster(layer, "mixed_bfloat16") for name, layer in named.items()}
    pixels = StridedConv2DTranspose
    assert found == {"fast": StridedConv2D, "other_kernel": None, "some_channels": None, "pixels": pixels}
    assert (faster(named["fast"], "float32"), faster(named["pixels"], "float32")) == (None, pixels)
    twin = training_twin(model, "mixed_bfloat16", 0.0)
    assert type(twin.get_layer("fast")) is StridedConv2D
    assert all(np.array_equal(*pair) for pair in zip(twin.get_weights(), model.get_weights(), strict=True))
