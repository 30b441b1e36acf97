"""Exact integer arithmetic against the runtime's kernels: operator by operator, then whole networks."""

import itertools

import numpy as np
import pytest
import tensorflow as tf

from tkit.integer.differences import compare
from tkit.integer.model import IntegerModel
from tkit_edge import flatbuffer, runtime
from tkit_edge.errors import InputError

SHAPE = (9, 7, 4)


def weights(*shape, seed=0):
    """Of quite different magnitude in each channel, the last axis."""
    random = np.random.default_rng(seed)
    return (random.normal(0, 1, shape) * random.uniform(0.001, 1, shape[-1])).astype(np.float32) / 100


def bias(count):
    return np.random.default_rng(count).normal(0, 1, count).astype(np.float32)


def conv(x, *shape, strides=1, padding="SAME", **more):
    return tf.nn.conv2d(x, weights(*shape), strides, padding, **more) + bias(shape[-1])


def depthwise(x, multiplier, strides=1, padding="SAME"):
    filters = weights(3, 3, SHAPE[-1], multiplier)
    return tf.nn.depthwise_conv2d(x, filters, (1, strides, strides, 1), padding) + bias(SHAPE[-1] * multiplier)


def dense(x, count):
    flat = tf.reshape(x, (1, -1))
    return flat @ weights(flat.shape[-1], count) + bias(count)


def transposed(x, strides, padding):
    sizes = [size * strides if padding == "SAME" else (size - 1) * strides + 3 for size in SHAPE[:2]]
    filters = weights(3, 3, SHAPE[-1], 5).transpose(0, 1, 3, 2)
    return tf.nn.conv2d_transpose(x, filters, (1, *sizes, 5), strides, padding)


def beside(x, function):
    """Of a tensor that something else needs too, so that it can't be fused."""
    y = branches(x)[0]
    return tf.concat((y, function(y)), -1)


def branches(x):
    """Two tensors of different scales, one of them of both signs."""
    return conv(x, 3, 3, SHAPE[-1], 6), tf.nn.relu(conv(x, 1, 1, SHAPE[-1], 6) * 0.3)


# Name -> the operator that has to be there, and the function.
CASES = {
    "convolution": ("CONV_2D", lambda x: conv(x, 3, 3, 4, 6)),
    "strided, with RELU": ("CONV_2D", lambda x: tf.nn.relu(conv(x, 3, 3, 4, 6, strides=2))),
    "strided, even filter": ("CONV_2D", lambda x: conv(x, 2, 4, 4, 6, strides=(3, 2))),
    "strided 1x1, with RELU6": ("CONV_2D", lambda x: tf.nn.relu6(conv(x, 1, 1, 4, 6, strides=2))),
    "valid, dilated": ("CONV_2D", lambda x: conv(x, 3, 3, 4, 6, padding="VALID", dilations=(3, 2))),
    "in groups": ("CONV_2D", lambda x: conv(x, 3, 3, 2, 6)),
    "depthwise": ("DEPTHWISE_CONV_2D", lambda x: depthwise(x, 1)),
    "depthwise, twice, strided": ("DEPTHWISE_CONV_2D", lambda x: tf.nn.relu6(depthwise(x, 2, 2, "VALID"))),
    "transposed": ("TRANSPOSE_CONV", lambda x: transposed(x, 2, "SAME")),
    "transposed, valid": ("TRANSPOSE_CONV", lambda x: transposed(x, 3, "VALID") + bias(5)),
    "transposed, odd": ("TRANSPOSE_CONV", lambda x: transposed(x, 1, "SAME")),
    "dense": ("FULLY_CONNECTED", lambda x: dense(x, 11)),
    "dense, with RELU": ("FULLY_CONNECTED", lambda x: tf.nn.relu(dense(x, 11))),
    "dense, one scale": ("FULLY_CONNECTED", lambda x: dense(x, 11)),
    "sum": ("ADD", lambda x: tf.add(*branches(x))),
    "sum, with RELU": ("ADD", lambda x: tf.nn.relu(tf.add(*branches(x)))),
    "sum with a constant": ("ADD", lambda x: x + bias(4) * 50),
    "difference": ("SUB", lambda x: tf.subtract(*branches(x))),
    "product": ("MUL", lambda x: tf.multiply(*branches(x))),
    "product with a constant": ("MUL", lambda x: x * bias(4)),
    "average pool": ("AVERAGE_POOL_2D", lambda x: tf.nn.avg_pool2d(branches(x)[0], 3, 2, "SAME")),
    "max pool": ("MAX_POOL_2D", lambda x: tf.nn.max_pool2d(branches(x)[0], (3, 2), 2, "SAME")),
    "mean": ("MEAN", lambda x: tf.reduce_mean(branches(x)[0], (1, 2))),
    "mean, axis kept": ("MEAN", lambda x: tf.reduce_mean(branches(x)[0], 2, keepdims=True)),
    "concatenation": ("CONCATENATION", lambda x: tf.concat(branches(x), -1)),
    "padding": ("PAD", lambda x: tf.pad(branches(x)[0], ((0, 0), (1, 2), (0, 3), (0, 0)))),
    "transpose": ("TRANSPOSE", lambda x: tf.transpose(x, (0, 3, 1, 2))),
    "slice": ("STRIDED_SLICE", lambda x: x[:, 1:8:2, ::-1, 2]),
    "LEAKY_RELU": ("LEAKY_RELU", lambda x: tf.nn.leaky_relu(branches(x)[0], 0.3)),
    "RELU": ("RELU", lambda x: beside(x, tf.nn.relu)),
    "RELU6": ("RELU6", lambda x: beside(x, tf.nn.relu6)),
    "RELU_N1_TO_1": ("RELU_N1_TO_1", lambda x: beside(x, lambda y: tf.maximum(-1.0, tf.minimum(1.0, y)))),
    "LOGISTIC": ("LOGISTIC", lambda x: tf.sigmoid(branches(x)[0])),
    "TANH": ("TANH", lambda x: tf.tanh(branches(x)[0])),
    "SOFTMAX": ("SOFTMAX", lambda x: tf.nn.softmax(3 * dense(x, 11))),
    "SOFTMAX of pixels": ("SOFTMAX", lambda x: tf.nn.softmax(x)),
    "float32 in and out": ("QUANTIZE", lambda x: dense(x, 11)),
    "uint8 in and out": ("QUANTIZE", lambda x: dense(x, 11)),
}


def converted(function, shape=SHAPE, io=tf.int8, quantized=True, one_scale=False):
    """The bytes of an int8 file, calibrated on less than what the tests' images hold, so that codes saturate."""
    concrete = tf.function(function, input_signature=[tf.TensorSpec((1, *shape), tf.float32)]).get_concrete_function()
    converter = tf.lite.TFLiteConverter.from_concrete_functions([concrete])
    if quantized:
        random = np.random.default_rng(0)
        samples = random.uniform(10, 240, (20, 1, *shape)).astype(np.float32)
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
        converter.representative_dataset = lambda: ([sample] for sample in samples)
        converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
        converter.inference_input_type = converter.inference_output_type = io
        converter._experimental_disable_per_channel_quantization_for_dense_layers = one_scale
    return converter.convert()


def originals(count, shape=SHAPE):
    """Random ones, and some of extremes only."""
    random = np.random.default_rng(1)
    images = random.integers(0, 256, (count, *shape), dtype=np.uint8)
    images[: count // 4] = random.choice(np.array([0, 255], np.uint8), (count // 4, *shape))
    images[:1], images[-1:] = 0, 255
    return images


def with_halves(data):
    """The file with every scale a power of two, so that many sums fall between two codes."""
    changed = bytearray(data)
    for tensor in flatbuffer.read(changed).tensors:  # their scales are views of the bytes
        if len(tensor.scales):
            tensor.scales[:] = 2.0 ** np.round(np.log2(tensor.scales))
    return bytes(changed)


@pytest.mark.parametrize("case", CASES)
def test_every_code_of_an_operator_is_the_kernels(case):
    operator, function = CASES[case]
    io = {"float32 in and out": tf.float32, "uint8 in and out": tf.uint8}.get(case, tf.int8)
    data = converted(function, io=io, one_scale=case == "dense, one scale")
    for file, kernels in itertools.product((data, with_halves(data)), ("reference", "xnnpack")):
        differences = compare(file, originals(400), kernels, arithmetic=kernels)
        assert operator in [item.name for item in differences]
        assert [item for item in differences if item.differing] == []


@pytest.mark.parametrize("factor", [0.02, 1, 20])
def test_hard_swish_is_the_reference_kernels(factor):
    data = converted(lambda x: (y := branches(x)[0] * factor) * tf.nn.relu6(y + 3) * (1 / 6))
    for file in (data, with_halves(data)):
        differences = compare(file, originals(400))
        assert "HARD_SWISH" in [item.name for item in differences]
        assert [item for item in differences if item.differing] == []
    with pytest.raises(InputError, match="HARD_SWISH isn't supported in XNNPACK's arithmetic"):
        IntegerModel(data, kernels="xnnpack")


@pytest.fixture(scope="module")
def network():
    """Depthwise-separable convolutions with a shortcut, to logits."""

    def function(x):
        y = tf.nn.relu6(conv(x, 3, 3, 4, 8, strides=2))
        z = conv(y, 1, 1, 8, 16)
        z = tf.nn.depthwise_conv2d(z, weights(3, 3, 16, 1) * 30, (1, 1, 1, 1), "SAME")
        z = tf.nn.relu(conv(z, 1, 1, 16, 8) + y)
        return tf.reduce_mean(z, (1, 2)) @ (weights(8, 5) * 100) + bias(5)

    return function


@pytest.mark.parametrize("kernels", ["reference", "xnnpack"])
@pytest.mark.parametrize("io", [tf.int8, tf.uint8, tf.float32], ids=lambda io: io.name)
def test_logits_of_a_network_are_those_of_the_runtime(network, io, kernels):
    data, images = converted(network, io=io), originals(200)
    logits = IntegerModel(data, kernels=kernels).predict(images)
    assert np.array_equal(logits, runtime.Model(data, kernels=kernels).predict(images))
    assert len(np.unique(logits)) > 50


def test_every_tensor_is_there_for_all_images_at_once(network):
    model, images = IntegerModel(converted(network)), originals(20)
    computed = model.outputs(model.codes(images))
    graph = model.graph
    assert set(computed) == {*graph.inputs, *(number for operator in graph.operators for number in operator.outputs)}
    for number, array in computed.items():
        assert array.shape == (20, *graph.tensors[number].shape[1:]) and array.dtype == np.int8
    alone = model.outputs(model.codes(images[7:8]))
    assert all(np.array_equal(array[7:8], alone[number]) for number, array in computed.items())


def test_operators_that_round_otherwise_are_named(network):
    differences = compare(converted(network), originals(200), "xnnpack")
    differing = [item for item in differences if item.differing]
    assert {item.name for item in differing} >= {"CONV_2D", "MEAN"}
    assert all(item.largest == 1 and item.differing < 0.1 for item in differing)
    assert [item.operator for item in differences] == list(range(len(differences)))


def test_an_operator_alone_is_judged_not_what_comes_before_it():
    data = converted(lambda x: tf.transpose(conv(x, 3, 3, 4, 6), (0, 3, 1, 2)))
    conv_2d, transpose = compare(data, originals(200), "xnnpack")
    assert (conv_2d.name, transpose.name) == ("CONV_2D", "TRANSPOSE")
    assert conv_2d.differing > 0 and transpose.differing == 0


def test_an_operator_that_is_not_supported_is_named():
    data = converted(lambda x: tf.image.resize(x, (18, 14)))
    with pytest.raises(InputError, match=r"mine.tflite: operator 0, RESIZE_BILINEAR isn't supported.*CONV_2D"):
        IntegerModel(data, "mine.tflite")


def test_a_float_file_is_refused(network):
    data = converted(network, quantized=False)
    with pytest.raises(InputError, match=r"mine.tflite is not an int8 file: .*CONV_2D.*float32.*export.formats=int8"):
        IntegerModel(data, "mine.tflite")


def test_what_mixes_images_is_refused():
    data = converted(lambda x: tf.reduce_mean(branches(x)[0], (0, 1, 2)))
    with pytest.raises(InputError, match="batch of 1"):
        IntegerModel(data)


@pytest.mark.parametrize(
    ("images", "message"),
    [(originals(2, (9, 7, 3)), "9, 7, 4"), (originals(2).astype(np.float32), "float32"), (originals(4)[:0], "none")],
)
def test_images_that_do_not_fit(network, images, message):
    with pytest.raises(InputError, match=message):
        compare(converted(network), images)


def test_unknown_kernels(network):
    with pytest.raises(InputError, match="'fast'.*xnnpack, builtin, reference"):
        compare(converted(network), originals(1), "fast")
    with pytest.raises(InputError, match="'builtin'.*reference, xnnpack"):
        IntegerModel(converted(network), kernels="builtin")
