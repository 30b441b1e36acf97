"""Each operator in C against LiteRT's reference kernels, byte for byte, and random networks of them."""

import ctypes
import shutil
import subprocess

import numpy as np
import pytest
import tensorflow as tf

from tkit.c_code.program import program
from tkit_edge import runtime

pytestmark = pytest.mark.skipif(shutil.which("cc") is None, reason="needs a C compiler, cc")
FLAGS = (
    "-std=c99",
    "-pedantic",
    "-Wall",
    "-Wextra",
    "-Werror",
    "-O0",
    "-fsanitize=undefined",
    "-fno-sanitize-recover=all",
    "-shared",
    "-fPIC",
)
SHAPE = (9, 7, 4)


def weights(*shape, seed=0):
    random = np.random.default_rng([seed, *shape])
    return (random.normal(0, 1, shape) * random.uniform(0.01, 1, shape[-1])).astype(np.float32) / 50


def bias(count):
    return np.random.default_rng(count).normal(0, 1, count).astype(np.float32)


def conv(x, kernel, channels, strides=1, padding="SAME", dilations=1, groups=1):
    filters = weights(*kernel, x.shape[-1] // groups, channels)
    return tf.nn.conv2d(x, filters, strides, padding, dilations=dilations) + bias(channels)


def depthwise(x, kernel=(3, 3), multiplier=1, strides=1, padding="SAME", dilations=(1, 1)):
    filters = weights(*kernel, x.shape[-1], multiplier) * 5
    y = tf.nn.depthwise_conv2d(x, filters, (1, strides, strides, 1), padding, dilations=dilations)
    return y + bias(x.shape[-1] * multiplier)


def dense(x, count):
    flat = tf.reshape(x, (1, -1))
    return flat @ weights(flat.shape[-1], count) + bias(count)


def two(x):
    """Tensors of different scales, one of them of both signs."""
    return conv(x, (3, 3), 6), tf.nn.relu(conv(x, (1, 1), 6) * 0.3)


def transposed(x, strides, padding):
    sizes = [size * strides if padding == "SAME" else (size - 1) * strides + 3 for size in SHAPE[:2]]
    filters = weights(3, 3, SHAPE[-1], 5).transpose(0, 1, 3, 2)
    return tf.nn.conv2d_transpose(x, filters, (1, *sizes, 5), strides, padding)


def hard_swish(x):
    return x * tf.nn.relu6(x + 3) * (1 / 6)


def rows(x):
    """Two matrices [1, 9, 7], [1, 9, 5]."""
    return tf.reduce_mean(two(x)[0], -1), tf.reshape(dense(x, 45), (1, 9, 5))


# Name -> the operator that has to be there, and the function.
CASES = {
    "convolution": ("CONV_2D", lambda x: conv(x, (3, 3), 6)),
    "odd number of filters": ("CONV_2D", lambda x: conv(x, (2, 3), 5)),
    "pointwise": ("CONV_2D", lambda x: conv(conv(x, (3, 3), 8), (1, 1), 5)),
    "pointwise on an even image": ("CONV_2D", lambda x: conv(conv(x[:, :8], (3, 3), 8), (1, 1), 5)),
    "strided, with RELU": ("CONV_2D", lambda x: tf.nn.relu(conv(x, (3, 3), 6, 2))),
    "strided, even filter": ("CONV_2D", lambda x: conv(x, (2, 4), 6, (3, 2))),
    "strided 1x1, with RELU6": ("CONV_2D", lambda x: tf.nn.relu6(conv(x, (1, 1), 6, 2))),
    "valid, dilated": ("CONV_2D", lambda x: conv(x, (3, 3), 6, padding="VALID", dilations=(3, 2))),
    "same, dilated": ("CONV_2D", lambda x: conv(x, (3, 3), 6, dilations=2)),
    "in groups": ("CONV_2D", lambda x: conv(x, (3, 3), 6, groups=2)),
    "large factors": ("CONV_2D", lambda x: conv(x / 500, (1, 1), 6) * 900 + 300),
    "depthwise": ("DEPTHWISE_CONV_2D", lambda x: depthwise(x)),
    "depthwise, 6 channels": ("DEPTHWISE_CONV_2D", lambda x: depthwise(conv(x, (1, 1), 6), (5, 2))),
    "depthwise, twice, strided": ("DEPTHWISE_CONV_2D", lambda x: tf.nn.relu6(depthwise(x, (3, 3), 2, 2, "VALID"))),
    "depthwise, dilated": ("DEPTHWISE_CONV_2D", lambda x: depthwise(x, dilations=(2, 2))),
    "transposed": ("TRANSPOSE_CONV", lambda x: transposed(x, 2, "SAME")),
    "transposed, valid": ("TRANSPOSE_CONV", lambda x: transposed(x, 3, "VALID") + bias(5)),
    "dense": ("FULLY_CONNECTED", lambda x: dense(x, 11)),
    "dense, odd, with RELU": ("FULLY_CONNECTED", lambda x: tf.nn.relu(dense(dense(x, 13), 7))),
    "dense on rows": ("FULLY_CONNECTED", lambda x: tf.matmul(tf.reshape(x, (-1, 4)), weights(4, 5))[None]),
    "matrices": ("BATCH_MATMUL", lambda x: tf.matmul(*rows(x), transpose_a=True)),
    "matrices, turned": ("BATCH_MATMUL", lambda x: tf.matmul(rows(x)[0], rows(x)[0], transpose_b=True)),
    "sum": ("ADD", lambda x: tf.add(*two(x))),
    "sum, with RELU": ("ADD", lambda x: tf.nn.relu(tf.add(*two(x)))),
    "sum, broadcast": ("ADD", lambda x: two(x)[0] + tf.reduce_mean(two(x)[1], 2, keepdims=True)),
    "sum with a constant": ("ADD", lambda x: x + bias(4) * 50),
    "difference": ("SUB", lambda x: tf.subtract(*two(x))),
    "difference from a constant": ("SUB", lambda x: bias(4) * 50 - x),
    "product": ("MUL", lambda x: tf.multiply(*two(x))),
    "product with a constant": ("MUL", lambda x: x * bias(4)),
    "squares": ("MUL", lambda x: two(x)[0] * two(x)[0]),
    "average pool": ("AVERAGE_POOL_2D", lambda x: tf.nn.avg_pool2d(two(x)[0], 3, 2, "SAME")),
    "max pool": ("MAX_POOL_2D", lambda x: tf.nn.max_pool2d(two(x)[0], (3, 2), 2, "SAME")),
    "max pool, valid": ("MAX_POOL_2D", lambda x: tf.nn.max_pool2d(two(x)[0], 2, 1, "VALID")),
    "mean": ("MEAN", lambda x: tf.reduce_mean(two(x)[0], (1, 2))),
    "mean, axis kept": ("MEAN", lambda x: tf.reduce_mean(two(x)[0], 2, keepdims=True)),
    "mean of two axes apart": ("MEAN", lambda x: tf.reduce_mean(two(x)[0], (1, 3))),
    "maximum of an axis": ("REDUCE_MAX", lambda x: tf.reduce_max(two(x)[0], 1)),
    "concatenation": ("CONCATENATION", lambda x: tf.concat(two(x), -1)),
    "concatenation of rows": ("CONCATENATION", lambda x: tf.concat(two(x), 1)),
    "padding": ("PAD", lambda x: tf.pad(two(x)[0], ((0, 0), (1, 2), (0, 3), (2, 0)))),
    "transpose": ("TRANSPOSE", lambda x: tf.transpose(x, (0, 3, 1, 2))),
    "slice": ("STRIDED_SLICE", lambda x: x[:, 1:8:2, ::-1, 2]),
    "each pixel 2 x 3 times": ("RESIZE_NEAREST_NEIGHBOR", lambda x: tf.image.resize(x, (18, 21), method="nearest")),
    "HARD_SWISH": ("HARD_SWISH", lambda x: hard_swish(two(x)[0])),
    "HARD_SWISH of a small range": ("HARD_SWISH", lambda x: hard_swish(two(x)[0] / 40)),
    "HARD_SWISH of a large range": ("HARD_SWISH", lambda x: hard_swish(two(x)[0] * 20)),
    "LEAKY_RELU": ("LEAKY_RELU", lambda x: tf.nn.leaky_relu(two(x)[0], 0.3)),
    "RELU": ("RELU", lambda x: tf.concat((two(x)[0], tf.nn.relu(two(x)[0])), -1)),
    "LOGISTIC": ("LOGISTIC", lambda x: tf.sigmoid(two(x)[0])),
    "TANH": ("TANH", lambda x: tf.tanh(two(x)[0])),
    "SOFTMAX": ("SOFTMAX", lambda x: tf.nn.softmax(3 * dense(x, 11))),
    "SOFTMAX of pixels": ("SOFTMAX", lambda x: tf.nn.softmax(x)),
    "tables in a row": ("LOGISTIC", lambda x: tf.tanh(tf.sigmoid(x / 255 - 0.5) * 3 - 1)),
    "float32 in and out": ("QUANTIZE", lambda x: dense(x, 11)),
    "uint8 in and out": ("QUANTIZE", lambda x: dense(x, 11)),
}
IO = {"float32 in and out": tf.float32, "uint8 in and out": tf.uint8}


def converted(function, shape=SHAPE, io=tf.int8):
    """The bytes of an int8 file, calibrated on less than what the tests' images hold, so that codes saturate."""
    concrete = tf.function(function, input_signature=[tf.TensorSpec((1, *shape), tf.float32)]).get_concrete_function()
    converter = tf.lite.TFLiteConverter.from_concrete_functions([concrete])
    random = np.random.default_rng(0)
    samples = random.uniform(10, 240, (20, 1, *shape)).astype(np.float32)
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    converter.representative_dataset = lambda: ([sample] for sample in samples)
    converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
    converter.inference_input_type = converter.inference_output_type = io
    return converter.convert()


class Compiled:
    """The C program of a file, as a library."""

    def __init__(self, data, folder):
        self.program = program(data)
        (folder / "model.c").write_text(self.program.source)
        (folder / "model.h").write_text(self.program.header)
        subprocess.run(["cc", *FLAGS, "-o", folder / "model.so", folder / "model.c"], check=True)
        self.library = ctypes.CDLL(str(folder / "model.so"))

    def run(self, values):
        """The outputs, by their port's index, of arrays for the inputs."""
        for port, array in zip(self.program.inputs, values, strict=True):
            ctypes.memmove(self.pointer(port), array.ctypes.data, array.nbytes)
        assert self.library.model_run() == 0
        outputs = [np.empty(port.tensor.shape, port.tensor.dtype) for port in self.program.outputs]
        for port, array in zip(self.program.outputs, outputs, strict=True):
            ctypes.memmove(array.ctypes.data, self.pointer(port), array.nbytes)
        return outputs

    def pointer(self, port):
        function = getattr(self.library, f"model_{port.name}")
        function.restype = ctypes.c_void_p
        return function()


def originals(interpreter, count):
    """Random inputs, one of lowest values and one of highest."""
    random = np.random.default_rng(1)
    for number in range(count):
        arrays = []
        for details in interpreter.get_input_details():
            if details["dtype"] == np.float32:
                array = random.uniform(-20, 280, details["shape"])
            else:
                limits = np.iinfo(details["dtype"])
                array = random.integers(limits.min, limits.max + 1, details["shape"])
                array = {0: np.full_like(array, limits.min), 1: np.full_like(array, limits.max)}.get(number, array)
            arrays.append(array.astype(details["dtype"]))
        yield arrays


def assert_equal_to_the_runtime(data, folder, count=40):
    compiled, reference = Compiled(data, folder), runtime.interpreter(data, 1, "reference")
    seen = set()
    for arrays in originals(reference, count):
        for details, array in zip(reference.get_input_details(), arrays, strict=True):
            reference.set_tensor(details["index"], array)
        reference.invoke()
        for details, found in zip(reference.get_output_details(), compiled.run(arrays), strict=True):
            expected = reference.get_tensor(details["index"])
            assert np.array_equal(found, expected)
            seen |= set(np.unique(expected).tolist())
    assert len(seen) > 2


@pytest.mark.parametrize("case", CASES)
def test_every_byte_of_an_operator_is_the_reference_kernels(case, tmp_path):
    operator, function = CASES[case]
    data = converted(function, io=IO.get(case, tf.int8))
    interpreter = runtime.interpreter(data, 1, "reference")
    assert operator in {item["op_name"] for item in interpreter._get_ops_details()}
    assert_equal_to_the_runtime(data, tmp_path)


def network(seed):
    """Random convolutions, pools and shortcuts, to logits."""
    random = np.random.default_rng(seed)

    def pick(*options):
        return options[random.integers(len(options))]

    def layer(x):
        padding = pick("SAME", "VALID") if min(x.shape[1:3]) > 6 else "SAME"
        strides, dilation = pick((1, 1), (2, 1), (1, 2))
        kind = pick("conv", "conv", "depthwise", "pool", "shortcut")
        if kind == "conv":
            kernel = pick(1, 2, 3), pick(1, 3, 4)
            return pick(tf.nn.relu, tf.nn.relu6, tf.identity)(
                conv(x, kernel, int(random.integers(1, 14)), strides, padding, dilation)
            )
        if kind == "depthwise":
            return depthwise(x, (pick(2, 3), 3), pick(1, 1, 3), strides, padding, (dilation, dilation))
        if kind == "pool":
            return pick(tf.nn.max_pool2d, tf.nn.avg_pool2d)(x, pick(2, 3), strides, padding)
        return tf.nn.relu(conv(x, (3, 3), x.shape[-1]) + pick(x, conv(x, (1, 1), x.shape[-1])))

    def function(x):
        x = x / 255
        for _ in range(5):
            x = layer(x)
        return pick(tf.nn.softmax, tf.identity)(dense(tf.reduce_mean(x, (1, 2)), 7) * 20)

    return function, (int(random.integers(8, 17)), int(random.integers(8, 17)), int(random.integers(1, 6)))


@pytest.mark.parametrize("seed", range(8))
def test_random_networks(seed, tmp_path):
    function, shape = network(seed)
    assert_equal_to_the_runtime(converted(function, shape), tmp_path, count=20)
