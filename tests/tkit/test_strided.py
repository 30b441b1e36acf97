"""4x4 convolutions of stride 2 with the kernel's gradient as a convolution: equal to Keras's own layers."""

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
        loss = tf.reduce_sum(tf.square(layer(images)))
    return [np.asarray(item) for item in tape.gradient(loss, [images, *layer.trainable_variables])]


@pytest.mark.parametrize(
    ("own", "stock", "channels"),
    [(StridedConv2D, layers.Conv2D, 16), (StridedConv2DTranspose, layers.Conv2DTranspose, 20)],
)
def test_outputs_and_gradients_are_those_of_the_stock_layer(own, stock, channels):
    keras.utils.set_random_seed(0)
    settings = {"kernel_size": 4, "strides": 2, "padding": "same", "activation": "tanh"}
    layer, other = own(18, **settings), stock(18, **settings)
    images = tf.random.normal((3, 8, 12, channels))
    layer.build(images.shape)
    other.build(images.shape)
    other.set_weights(layer.get_weights())
    np.testing.assert_allclose(layer(images), other(images), atol=1e-5)
    for found, wanted in zip(gradients(layer, images), gradients(other, images), strict=True):
        np.testing.assert_allclose(found, wanted, atol=2e-4, rtol=1e-4)


def test_they_train_where_they_are_faster_alone():
    inputs = keras.Input((16, 16, 16))
    x = layers.Conv2D(16, 4, strides=2, padding="same", name="fast")(inputs)
    x = layers.Conv2D(16, 3, strides=2, padding="same", name="other_kernel")(x)
    x = layers.Conv2DTranspose(3, 4, strides=2, padding="same", name="few_channels")(x)
    model = keras.Model(inputs, layers.Flatten()(x))
    found = {name: faster(model.get_layer(name), "mixed_bfloat16") for name in ("fast", "other_kernel", "few_channels")}
    assert found == {"fast": StridedConv2D, "other_kernel": None, "few_channels": None}
    assert faster(model.get_layer("fast"), "float32") is None
    twin = training_twin(model, "mixed_bfloat16", 0.0)
    assert type(twin.get_layer("fast")) is StridedConv2D
    assert all(np.array_equal(*pair) for pair in zip(twin.get_weights(), model.get_weights(), strict=True))
