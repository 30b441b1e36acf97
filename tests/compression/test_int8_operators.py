"""Each operator alone: what the fake-quantized graph says and what the runtime computes are one code apart at most."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers

from tkit.compressible.rounding import Rounding, rounded
from tkit.conversion.quantized import convert_quantized
from tkit.passes.decomposition import decomposed
from tkit.passes.folding import fold
from tkit.promises import Kept
from tkit.quantization.graph import int8_graph, quantized, quantizers
from tkit.quantization.ranges import ranges
from tkit_edge import flatbuffer, runtime

SHAPE = (8, 8, 4)


def tokens(x):
    """Sixteen of 16 numbers."""
    return layers.Reshape((16, 16))(x)


def attention(x):
    """Of two heads, each token to all."""
    return layers.MultiHeadAttention(2, 3)(x, x)


def conv(filters=6, **keywords):
    return layers.Conv2D(filters, 3, padding="same", **keywords)


OPERATORS = {
    "conv": lambda x: conv()(x),
    "conv + relu": lambda x: conv(activation="relu")(x),
    "conv + relu6": lambda x: layers.ReLU(6.0)(conv()(x)),
    "conv + tanh": lambda x: conv(activation="tanh")(x),
    "strided conv": lambda x: layers.Conv2D(5, 3, strides=2)(x),
    "depthwise": lambda x: layers.DepthwiseConv2D(3, padding="same", depth_multiplier=2)(x),
    "transposed": lambda x: layers.Conv2DTranspose(5, 3, strides=2, padding="same")(x),
    "transposed + relu": lambda x: layers.Conv2DTranspose(5, 3, strides=2, activation="relu")(x),
    "transposed + normalization + relu": lambda x: layers.ReLU()(
        layers.BatchNormalization()(layers.Conv2DTranspose(5, 4, strides=2, padding="same", use_bias=False)(x))
    ),
    "transposed + tokens + relu": lambda x: layers.ReLU()(layers.Reshape((64, 20))(layers.Conv2DTranspose(5, 2, 2)(x))),
    "dense + maps + relu": lambda x: layers.ReLU()(
        layers.Reshape((2, 2, 3))(layers.Dense(12, use_bias=False)(layers.Flatten()(x)))
    ),
    "dense": lambda x: layers.Dense(7)(layers.Flatten()(x)),
    "dense + softmax": lambda x: layers.Dense(7, activation="softmax")(layers.Flatten()(x)),
    "add": lambda x: layers.Add()([x, layers.MaxPooling2D(3, 1, padding="same")(x)]),
    "add + relu": lambda x: layers.ReLU()(layers.Add()([x, layers.Rescaling(-2.0)(x)])),
    "subtract": lambda x: layers.Subtract()([x, layers.AveragePooling2D(3, 1, padding="same")(x)]),
    "multiply": lambda x: layers.Multiply()([x, layers.Activation("sigmoid")(x)]),
    "concat": lambda x: layers.Concatenate()(
        [conv()(x), conv(activation="relu")(x), layers.MaxPooling2D(3, 1, "same")(conv()(x))]
    ),
    "average pooling": lambda x: layers.AveragePooling2D(2)(x),
    "maximum pooling": lambda x: layers.MaxPooling2D(2)(x),
    "global average": lambda x: layers.GlobalAveragePooling2D()(x),
    "global maximum": lambda x: layers.GlobalMaxPooling2D()(x),
    "relu": lambda x: layers.ReLU()(x),
    "relu6": lambda x: layers.Activation("relu6")(x),
    "leaky relu": lambda x: layers.LeakyReLU()(x),
    "conv + silu": lambda x: conv(activation="silu")(x),
    "depthwise + normalization + silu": lambda x: layers.Activation("silu")(
        layers.BatchNormalization()(layers.DepthwiseConv2D(3)(x))
    ),
    "hard silu": lambda x: layers.Activation("hard_silu")(x),
    "hard sigmoid": lambda x: layers.Activation("hard_sigmoid")(x),
    "separable": lambda x: layers.SeparableConv2D(6, 3, padding="same", activation="relu")(x),
    "sum of three": lambda x: layers.ReLU()(layers.Add()([x, conv(4)(x), layers.MaxPooling2D(3, 1, "same")(x)])),
    "number + relu": lambda x: layers.ReLU()(layers.Rescaling(1.0, 0.7)(x)),
    "augmentation": lambda x: conv()(layers.RandomFlip()(layers.RandomRotation(0.1)(x))),
    "dropout": lambda x: conv()(layers.Dropout(0.5)(x)),
    "padding": lambda x: layers.ZeroPadding2D(1)(x),
    "normalization": lambda x: layers.BatchNormalization(
        beta_initializer="random_normal", gamma_initializer="random_normal"
    )(x),
    "tokens": lambda x: layers.Dense(7)(tokens(x)),
    "gelu": lambda x: layers.Dense(7, activation="gelu")(tokens(x)),
    "products": lambda x: layers.Dot((2, 2))([layers.Dense(6)(tokens(x)), layers.Dense(6)(tokens(x))]),
    "layer normalization": lambda x: layers.LayerNormalization(scale=False, center=False)(tokens(x)),
    "attention": lambda x: attention(layers.LayerNormalization()(tokens(x))),
}
APART = {"conv + tanh": 2, "dense + softmax": 2, "products": 2, "attention": 2}
"""Several operators one after the other on the device: codes that they are apart at most."""


def net(operator):
    """The operator behind a tensor that has both signs, and is exact."""
    keras.utils.set_random_seed(3)
    inputs = keras.Input(SHAPE, name="image")
    return keras.Model(inputs, operator(layers.Rescaling(1 / 32, -4.0, name="normalize")(inputs)))


def int8_model(model, images, method="minmax"):
    made = fold(decomposed(model))
    return rounded(made, Kept(), ranges(made, {"image": images}, method), Rounding({}))


def pixels(count=40):
    return np.random.default_rng(5).integers(0, 256, (count, *SHAPE), dtype=np.uint8)


@pytest.mark.parametrize("name", OPERATORS)
def test_the_runtime_is_one_code_away_at_most(name):
    images = pixels()
    model, kept = int8_model(net(OPERATORS[name]), images)
    data = convert_quantized(model, kept, "int8")
    graph = flatbuffer.read(data)
    assert {tensor.dtype for tensor in graph.tensors} <= {"int8", "int32"}
    expected = quantized(model, kept.quantized).predict(images.astype(np.float32), verbose=0)
    (output,) = (graph.tensors[index] for index in graph.outputs)
    answers = run(data, images)
    assert np.abs(np.round((answers - expected) / output.scales[0])).max() <= APART.get(name, 1)
    assert np.unique(np.round(expected / output.scales[0])).size > 3


def test_training_survives_a_variance_that_is_rounded_to_zero():
    images = pixels()
    images[0] = 128
    norm = layers.LayerNormalization(epsilon=1e-5, name="norm")
    model, kept = int8_model(net(lambda x: norm(layers.Dense(7)(tokens(x)))), images)
    graph = int8_graph(model, kept.quantized.ranges, moving=True)
    for quantizer in quantizers(graph).values():
        quantizer.moves.assign(1.0)
    with tf.GradientTape() as tape:
        answers = graph(images.astype(np.float32), training=True)
        loss = tf.reduce_sum(answers * np.random.default_rng(0).normal(size=answers.shape).astype(np.float32))
    gradients = tape.gradient(loss, graph.trainable_variables)
    assert any(np.abs(gradient).max() > 0 for gradient in gradients)
    assert all(np.all(np.isfinite(gradient)) for gradient in gradients)
    assert quantizers(graph)["norm_inverse"].high.numpy() == pytest.approx(1e-5**-0.5)


def run(data, images):
    """What the runtime answers, of any rank."""
    interpreter = runtime.load(data)
    (given,), (wanted,) = interpreter.get_input_details(), interpreter.get_output_details()
    scale, zero_point = wanted["quantization"]
    answers = []
    for image in images:
        interpreter.set_tensor(given["index"], (image.astype(np.int32) - 128).astype(np.int8)[None])
        interpreter.invoke()
        answers.append((interpreter.get_tensor(wanted["index"])[0].astype(np.float32) - zero_point) * scale)
    return np.stack(answers)


def test_pixels_and_their_scaling_keep_their_codes():
    images = pixels()
    model, kept = int8_model(net(lambda x: layers.Flatten()(x)), images)
    found = kept.quantized.ranges
    assert found["image"] == (0.0, 255.0)
    assert found["normalize"] == (-4.0, 127 / 32)
    np.testing.assert_array_equal(run(convert_quantized(model, kept, "int8"), images), model(images.astype(np.float32)))


def test_two_calls_of_a_layer_and_a_layer_of_the_name_have_ranges_of_their_own():
    shared = layers.Activation("relu", name="shared")
    bounded = layers.Activation("sigmoid", name="shared_1")
    model = net(lambda x: layers.Multiply()([shared(conv()(shared(conv()(x)))), bounded(conv()(x))]))
    model, kept = int8_model(model, pixels())
    found = kept.quantized.ranges
    assert found["shared_1"] == (0.0, 255 / 256)
    assert found["shared_1__2"][1] > 1 and found["shared"][1] > 1
    assert set(quantizers(quantized(model, kept.quantized))) == set(found)


@pytest.mark.parametrize("method", ["percentile", "mse"])
def test_outliers_are_clipped(method):
    images = 120 + pixels(2000) // 16
    images[0, 0, 0] = 255
    model = net(lambda x: layers.Conv2D(4, 1, use_bias=False, kernel_initializer="ones")(x))
    (name,) = (layer.name for layer in model.layers if isinstance(layer, layers.Conv2D))
    wide = ranges(model, {"image": images}, "minmax")[name]
    narrow = ranges(model, {"image": images}, method)[name]
    assert wide[0] <= narrow[0] <= 0 <= narrow[1] < wide[1]
