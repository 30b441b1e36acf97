"""Every kind of layer on the whole way to int8: laid out, quantized, trained on, converted; integers, or said."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers, ops

from tkit.compressible.rounding import Rounding, rounded
from tkit.conversion.quantized import convert_quantized
from tkit.kernels.viewed import stock, view
from tkit.passes.decomposition import decomposed
from tkit.passes.folding import fold
from tkit.promises import Kept
from tkit.quantization.graph import int8_graph, quantized
from tkit.quantization.ranges import ranges
from tkit.quantization.rules import Rules
from tkit.training.twin import training_twin
from tkit_edge import flatbuffer, runtime

SHAPE = (8, 8, 4)
NORMAL = keras.initializers.RandomNormal(stddev=0.5, seed=1)
CHANCE = np.random.default_rng(0)


def conv(filters=6, **keywords):
    return layers.Conv2D(filters, 3, padding="same", **keywords)


def tokens(x):
    return layers.Reshape((16, 16))(x)


def norm(**keywords):
    return layers.BatchNormalization(
        beta_initializer=NORMAL, gamma_initializer=NORMAL, moving_mean_initializer=NORMAL, **keywords
    )


def after_conv(layer):
    return lambda x: layer(conv()(x))


def on_tokens(layer):
    return lambda x: layer(tokens(x))


def function(name):
    return after_conv(layers.Activation(name))


def attended_twice(x):
    attention, x = layers.MultiHeadAttention(1, 3), tokens(x)
    return attention(attention(x, x), x)


def per_pixel(x):
    mean, variance = CHANCE.normal(size=SHAPE), CHANCE.uniform(0.5, 2, SHAPE)
    return conv()(layers.Normalization(axis=(1, 2, 3), mean=mean, variance=variance)(x))


QUICK = {
    "selu": lambda x: conv()(conv(activation="selu")(x)),
    "prelu": after_conv(layers.PReLU(NORMAL, shared_axes=[1, 2])),
    "mish, average": lambda x: layers.Average()([layers.Activation("mish")(x), x, conv(4)(x)]),
    "sequence": lambda x: layers.MaxPooling1D()(layers.Conv1D(5, 3, padding="causal", activation="relu")(tokens(x))),
    "group normalization": after_conv(layers.GroupNormalization(2, gamma_initializer=NORMAL)),
    "normalization of rows": after_conv(norm(axis=1)),
    "sigmoid beside others": lambda x: conv()(layers.Concatenate()([layers.Activation("sigmoid")(x), conv()(x)])),
    "bare operations": lambda x: ops.softmax(ops.mean(ops.relu(conv()(x) / 3.0 + 0.1)[:, 1:5], axis=(1, 2))),
}
INTEGER = {
    "elu": function("elu"),
    "elu, alpha": after_conv(layers.ELU(0.5)),
    "exponential": lambda x: layers.Activation("exponential")(layers.Rescaling(0.3)(x)),
    "softsign": function("softsign"),
    "log-softmax": function("log_softmax"),
    "hard tanh": function("hard_tanh"),
    "gelu": function("gelu"),
    "prelu of each value": after_conv(layers.PReLU(NORMAL)),
    "prelu that is a relu": after_conv(layers.PReLU()),
    "relu to 1": lambda x: layers.ReLU(1.0)(layers.Rescaling(0.3)(x)),
    "relu with a slope": after_conv(layers.ReLU(negative_slope=0.2)),
    "relu with a slope, to 2": after_conv(layers.ReLU(2.0, negative_slope=0.2)),
    "average of two": lambda x: layers.Average()([x, conv(4)(x)]),
    "maximum of three": lambda x: layers.Maximum()([x, conv(4)(x), conv(4)(x)]),
    "minimum": lambda x: layers.Minimum()([x, conv(4)(x)]),
    "product of three": lambda x: layers.Multiply()([x, conv(4)(x), conv(4)(x)]),
    "upsampling": lambda x: conv()(layers.UpSampling2D()(x)),
    "upsampling, bilinear": lambda x: conv()(layers.UpSampling2D(interpolation="bilinear")(x)),
    "resizing": lambda x: conv()(layers.Resizing(9, 9)(x)),
    "centre crop": lambda x: conv()(layers.CenterCrop(4, 4)(x)),
    "separable sequence": on_tokens(layers.SeparableConv1D(5, 3)),
    "depthwise sequence": on_tokens(layers.DepthwiseConv1D(3, strides=2)),
    "transposed sequence": on_tokens(layers.Conv1DTranspose(5, 3, strides=2)),
    "pooled sequence": lambda x: layers.GlobalMaxPooling1D()(layers.AveragePooling1D(2)(tokens(x))),
    "instance normalization": after_conv(layers.GroupNormalization(-1)),
    "rms normalization": after_conv(layers.RMSNormalization()),
    "unit normalization": after_conv(layers.UnitNormalization()),
    "spectral normalization": layers.SpectralNormalization(layers.Conv2D(4, 3)),
    "layer normalization, all axes": after_conv(layers.LayerNormalization((1, 2, 3), gamma_initializer=NORMAL)),
    "normalization behind relu": lambda x: norm()(conv(activation="relu")(x)),
    "normalization behind flatten": lambda x: layers.Dense(5)(norm()(layers.Flatten()(conv()(x)))),
    "normalization of tokens": on_tokens(norm()),
    "normalization per pixel": per_pixel,
    "attention": lambda x: layers.Attention()([tokens(x), tokens(x)]),
    "softmax of rows": after_conv(layers.Softmax(axis=1)),
    "time-distributed dense": on_tokens(layers.TimeDistributed(layers.Dense(3, activation="relu"))),
    "einsum dense": on_tokens(layers.EinsumDense("abc,cd->abd", (None, 6), bias_axes="d")),
    "activity regularization": lambda x: conv()(layers.ActivityRegularization(0.1)(x)),
    "repeated": lambda x: layers.RepeatVector(3)(layers.Flatten()(x)),
    "two prescribed ranges": lambda x: layers.Concatenate()(
        [layers.Activation("sigmoid")(x), layers.Activation("tanh")(x)]
    ),
    "position embedding": lambda x: conv()(x) + CHANCE.normal(size=(1, 8, 8, 6)).astype("float32"),
    "slices": lambda x: conv()(x[:, 1:5, ::2, :3]),
    "power": lambda x: conv()(x) ** 2,
    "product of matrices": lambda x: ops.matmul(tokens(x), ops.transpose(tokens(x), (0, 2, 1))),
    "split and joined": lambda x: ops.concatenate(ops.split(conv()(x), 2, -1)[::-1], -1),
    "larger than 0": lambda x: ops.maximum(conv()(x), 0.0),
    "padded": lambda x: conv()(ops.pad(x, ((0, 0), (1, 1), (1, 1), (0, 0)))),
}
FLOAT = {
    "softplus": lambda x: conv()(conv(activation="softplus")(x)),
    "gated linear unit": function("glu"),
    "volume": lambda x: layers.Flatten()(layers.Conv3D(2, 2)(layers.Reshape((4, 4, 4, 4))(conv(4)(x)))),
    "additive attention": lambda x: layers.AdditiveAttention()([tokens(x), tokens(x)]),
    "grouped-query attention": lambda x: layers.GroupQueryAttention(4, 4, 2)(tokens(x), tokens(x)),
    "causal attention": lambda x: layers.MultiHeadAttention(2, 3)(tokens(x), tokens(x), use_causal_mask=True),
    "attention whose scores nobody takes": lambda x: layers.MultiHeadAttention(2, 3)(
        tokens(x), tokens(x), return_attention_scores=True
    )[0],
    "attention and its scores": lambda x: layers.Concatenate()(
        [
            layers.Flatten()(y)
            for y in layers.MultiHeadAttention(2, 3)(tokens(x), tokens(x), return_attention_scores=True)
        ]
    ),
    "time-distributed convolution": lambda x: layers.TimeDistributed(conv(3))(layers.Reshape((4, 4, 4, 4))(x)),
    "lstm": on_tokens(layers.LSTM(4)),
    "division": lambda x: conv()(x) / (ops.abs(conv()(x)) + 1.0),
    "variance": lambda x: ops.var(conv()(x), axis=(1, 2)),
}
BEHIND_FLOAT = {
    "flatten": layers.Flatten(),
    "reshape": layers.Reshape((8, 4, 12)),
    "permute": layers.Permute((2, 1, 3)),
    "padding": layers.ZeroPadding2D(),
    "pooling": layers.MaxPooling2D(),
    "cropping": layers.Cropping2D(),
    "concatenation": lambda x: layers.Concatenate()([x, layers.Conv2D(4, 1)(x)]),
    "mean": layers.GlobalAveragePooling2D(),
}


def net(operator):
    keras.utils.set_random_seed(3)
    inputs = keras.Input(SHAPE, name="image")
    return keras.Model(inputs, operator(layers.Rescaling(1 / 32, -4.0, name="scaled_pixels")(inputs)))


def run(data, images):
    interpreter = runtime.load(data)
    (given,), (wanted,) = interpreter.get_input_details(), interpreter.get_output_details()
    scale, zero_point = wanted["quantization"]
    answers = []
    for image in images:
        interpreter.set_tensor(given["index"], (image.astype(np.int32) - 128).astype(np.int8)[None])
        interpreter.invoke()
        answers.append((interpreter.get_tensor(wanted["index"])[0].astype(np.float32) - zero_point) * scale)
    return np.stack(answers), scale


def whole_way(operator, float_layers=()):
    """The operators in float; steps between graph and runtime; the error beside the float model's range."""
    images = np.random.default_rng(5).integers(0, 256, (12, *SHAPE), dtype=np.uint8)
    pixels, model = images.astype(np.float32), net(operator)
    expected = model(pixels).numpy()
    folded = fold(decomposed(model))
    np.testing.assert_allclose(folded(pixels), expected, atol=1e-4 * np.ptp(expected))
    made, kept = rounded(
        folded, Kept(), ranges(folded, {"image": images}, "minmax", float_layers), Rounding({}, float_layers)
    )
    graph = int8_graph(made, kept.quantized.ranges, float_layers, moving=True)
    graph = view(graph, {name: [("fake_quantized", {})] for name in kept.quantized.scales})
    with tf.GradientTape() as tape:
        loss = tf.reduce_mean(graph(pixels, training=True) ** 2)
    gradients = [item for item in tape.gradient(loss, graph.trainable_variables) if item is not None]
    assert all(np.all(np.isfinite(tf.convert_to_tensor(item))) for item in gradients)
    assert {layer.name for layer in stock(graph).layers} == {layer.name for layer in graph.layers}
    data = convert_quantized(made, kept, "int8")
    answers, step = run(data, images)
    file = flatbuffer.read(data)
    floats = [item.name for item in file.operators if any(file.tensors[i].dtype == "float32" for i in item.outputs)]
    steps = np.abs(np.round((answers - quantized(made, kept.quantized)(pixels).numpy()) / step)).max()
    return floats, Rules(made, float_layers).ruleless, steps, np.abs(answers - expected).mean() / np.ptp(expected)


@pytest.mark.parametrize("name", QUICK)
def test_common_kinds_compute_in_integers(name):
    floats, ruleless, steps, error = whole_way(QUICK[name])
    assert not floats and not ruleless
    assert steps <= 3
    assert error < 0.02


@pytest.mark.parametrize("name", QUICK)
def test_common_kinds_are_trained_in_mixed_precision(name):
    model = fold(decomposed(net(QUICK[name])))
    images = np.random.default_rng(5).integers(0, 256, (4, *SHAPE), dtype=np.uint8)
    twin = training_twin(
        int8_graph(model, ranges(model, {"image": images}, "minmax"), moving=True), "mixed_bfloat16", 0.0
    )
    with tf.GradientTape() as tape:
        loss = tf.reduce_mean(twin(images.astype(np.float32), training=True) ** 2)
    assert all(tf.reduce_all(tf.math.is_finite(item)) for item in tape.gradient(loss, twin.trainable_variables))


@pytest.mark.slow
@pytest.mark.parametrize("name", INTEGER)
def test_other_kinds_compute_in_integers(name):
    floats, ruleless, steps, error = whole_way(INTEGER[name])
    assert not floats and not ruleless
    assert steps <= 4
    assert error < 0.02


@pytest.mark.slow
@pytest.mark.parametrize("name", FLOAT)
def test_what_has_no_rule_computes_in_float_by_itself(name):
    floats, ruleless, steps, error = whole_way(FLOAT[name])
    assert floats and len(ruleless) == 1
    assert steps <= 2
    assert error < 0.02


@pytest.mark.slow
@pytest.mark.parametrize("name", BEHIND_FLOAT)
def test_a_layer_in_float_may_stand_before_one_that_only_moves_values(name):
    def operator(x):
        x = BEHIND_FLOAT[name](layers.ELU(name="in_float")(conv()(x)))
        return layers.Dense(3)(layers.Flatten()(x))

    floats, ruleless, steps, error = whole_way(operator, ("in_float",))
    assert floats.count("ELU") == 1 and not ruleless
    assert steps <= 2
    assert error < 0.02


def test_attention_that_is_called_twice_is_laid_out_once():
    model = net(attended_twice)
    made = decomposed(model)
    assert not any(isinstance(layer, layers.MultiHeadAttention) for layer in made.layers)
    assert made.count_params() == model.count_params()
    pixels = CHANCE.integers(0, 256, (4, *SHAPE)).astype(np.float32)
    np.testing.assert_allclose(made(pixels), model(pixels), atol=1e-4)
