"""Convolutions and matrix products in C. The inputs' zero point is multiplied out into the biases, once and for all."""

from __future__ import annotations

import numpy as np

from tkit.c_code.layer import Layer, single
from tkit.integer.fixed_point import factor
from tkit.integer.kernels_conv import Window, biases, output_factors, window, windows

MAX_SUM = 1 << 31
"""Sums of products stay below; with the bias they may wrap, as the reference kernels' do."""


def convolution(layer: Layer) -> str:
    """CONV_2D, of one or several groups."""
    node = layer.node
    filters = node.constant(1, "int8", 4)
    count, _, _, depth = filters.shape
    shape = node.tensor(0).shape
    found = windows(node, shape, filters.shape[1:3])
    groups = shape[3] // max(depth, 1)
    if depth * groups != shape[3] or not groups or count % groups:
        raise node.error(f"has a filter {list(filters.shape)} for {shape[3]} channels")
    layer.produces(found[0].steps, found[1].steps, count)
    layer.use("rescale", "pairs", "dot_two", "patch", "output_channels", "convolution")
    # Windows that are neighbouring pixels are read where they are, two at a time; others are copied, in whole words.
    alone = filters[0].size == shape[3] and groups == 1 and found[0].stride == found[1].stride == 1
    neighbours = alone and not node.output.size // count % 2 and not depth % 4
    size = -(-filters[0].size // 4) * 4
    layer.scratch = 4 * size
    stored = np.zeros((count + count // groups % 2, size), np.int8)
    stored[:count, : filters[0].size] = filters.reshape(count, -1)
    return layer.call(
        "convolution",
        window_of(layer, shape, found),
        _channels(layer, filters.reshape(count, -1)),
        layer.array("filters", stored),
        size,
        groups,
        count,
        int(neighbours),
        node.quantization(0)[1],
        layer.read(0),
        "$scratch",
        layer.write,
    )


def depthwise(layer: Layer) -> str:
    """DEPTHWISE_CONV_2D."""
    node = layer.node
    filters, multiplier = node.constant(1, "int8", 4), node.operator.options["multiplier"]
    shape = node.tensor(0).shape
    found = windows(node, shape, filters.shape[1:3])
    if filters.shape[0] != 1 or filters.shape[3] != shape[3] * multiplier:
        raise node.error(f"has a filter {list(filters.shape)} for {shape[3]} channels x {multiplier}")
    layer.produces(found[0].steps, found[1].steps, filters.shape[3])
    layer.use("rescale", "pairs", "patch", "output_channels", "depthwise")
    layer.scratch = found[0].size * found[1].size * shape[3]
    return layer.call(
        "depthwise",
        window_of(layer, shape, found),
        _channels(layer, filters.reshape(-1, filters.shape[3]).T),
        layer.array("filters", filters),
        multiplier,
        node.quantization(0)[1],
        layer.read(0),
        "$scratch",
        layer.write,
    )


def transpose_convolution(layer: Layer) -> str:
    """TRANSPOSE_CONV; inputs are its output's shape, the filter, images, perhaps a bias."""
    node = layer.node
    filters, target = node.constant(1, "int8", 4), node.constant(0, "int32", 1)
    count, height, width, depth = filters.shape
    shape = node.tensor(2).shape
    if len(shape) != 4 or shape[3] != depth or len(target) != 4:
        raise node.error(f"has an input {list(shape)} and a filter {list(filters.shape)}")
    rows = window(node, "height", int(target[1]), height)._replace(steps=int(target[1]))
    columns = window(node, "width", int(target[2]), width)._replace(steps=int(target[2]))
    zero_point = node.quantization(2)[1]
    layer.produces(rows.steps, columns.steps, count)
    layer.use("rescale", "patch", "output_channels", "transpose_convolution")
    return layer.call(
        "transpose_convolution",
        window_of(layer, shape, (rows, columns)),
        _channels(layer, filters.reshape(count, -1), images=2, bias=3, folded=False),
        layer.array("filters", filters),
        count,
        zero_point,
        layer.read(2),
        layer.write,
    )


def fully_connected(layer: Layer) -> str:
    """FULLY_CONNECTED: the reference kernel multiplies its sums in float64."""
    node = layer.node
    weights = node.constant(1, "int8", 2)
    if node.operator.options["weights_format"] != "DEFAULT" or node.tensor(1).zero_points.any():
        raise node.error("has shuffled weights, or weights with a zero point, which aren't supported")
    count, depth = weights.shape
    if node.tensor(0).size % depth:
        raise node.error(f"has an input {list(node.tensor(0).shape)} for weights {list(weights.shape)}")
    layer.produces(node.tensor(0).size // depth, count)
    scales = output_factors(node, count)
    layer.use("rescale", "pairs", "dot_one", "fully_connected")
    return layer.call(
        "fully_connected",
        layer.array("weights", weights),
        layer.array("bias", _folded(layer, weights, biases(node, count)), "int32"),
        layer.array("scale", scales),
        len(scales),
        node.tensor(0).size // depth,
        depth,
        count,
        node.quantization()[1],
        *node.bounds(),
        layer.read(0),
        layer.write,
    )


def batch_matmul(layer: Layer) -> str:
    """BATCH_MATMUL of one pair of matrices."""
    node, options = layer.node, layer.node.operator.options
    x, y = node.tensor(0).shape, node.tensor(1).shape
    if any(size != 1 for shape in (x, y) for size in shape[:-2]) or min(len(x), len(y)) < 2:
        raise node.error(f"has inputs {list(x)} and {list(y)}; expected one matrix each")
    inner = x[-2] if options["adjoint_x"] else x[-1]
    x_strides = (1, x[-1]) if options["adjoint_x"] else (x[-1], 1)
    y_strides = (1, y[-1]) if options["adjoint_y"] else (y[-1], 1)
    outer, columns = (x[-1] if options["adjoint_x"] else x[-2]), (y[-2] if options["adjoint_y"] else y[-1])
    if inner != (y[-1] if options["adjoint_y"] else y[-2]):
        raise node.error(f"has inputs {list(x)} and {list(y)}")
    layer.produces(outer, columns)
    scale = node.quantization(0)[0] * node.quantization(1)[0]  # in float32
    by = factor(np.float64(scale) / np.float64(node.quantization()[0]))
    layer.use("rescale", "batch_matmul")
    return layer.call(
        "matrix_product",
        layer.read(0),
        *x_strides,
        node.quantization(0)[1],
        layer.read(1),
        *y_strides,
        node.quantization(1)[1],
        outer,
        inner,
        columns,
        *single(by),
        node.quantization()[1],
        layer.write,
    )


def window_of(layer: Layer, shape: tuple[int, ...], found: tuple[Window, Window]) -> str:
    """The structure of windows on images of this shape."""
    rows, columns = found
    return layer.structure(
        "window",
        in_height=shape[1],
        in_width=shape[2],
        in_channels=shape[3],
        out_height=rows.steps,
        out_width=columns.steps,
        height=rows.size,
        width=columns.size,
        stride_y=rows.stride,
        stride_x=columns.stride,
        dilation_y=rows.dilation,
        dilation_x=columns.dilation,
        top=rows.before,
        left=columns.before,
    )


def _channels(layer: Layer, weights: np.ndarray, images: int = 0, bias: int = 2, folded: bool = True) -> str:
    """The structure that turns sums into codes, of weights [out, products]."""
    node, count = layer.node, len(weights)
    by = factor(output_factors(node, count, images))
    multipliers, shifts = (np.broadcast_to(part, count) for part in by)
    offsets = biases(node, count, bias)
    low, high = node.bounds()
    return layer.structure(
        "output_channels",
        bias=layer.array("bias", _folded(layer, weights, offsets, images) if folded else offsets, "int32"),
        multiplier=layer.array("multiplier", multipliers, "int32"),
        shift=layer.array("shift", shifts, "int8"),
        shrinks=int((shifts < 0).all()),
        zero=node.quantization()[1],
        low=low,
        high=high,
    )


def _folded(layer: Layer, weights: np.ndarray, offsets: np.ndarray, images: int = 0) -> np.ndarray:
    """Biases that hold what the inputs' zero point adds: weights [out, products]."""
    wide = weights.astype(np.int64)
    if (128 * np.abs(wide).sum(axis=1)).max() >= MAX_SUM:
        raise layer.node.error("has sums past 32 bits, which aren't supported")
    return (offsets - layer.node.quantization(images)[1] * wide.sum(axis=1)).astype(np.uint32).view(np.int32)


EMITTERS = {
    "BATCH_MATMUL": batch_matmul,
    "CONV_2D": convolution,
    "DEPTHWISE_CONV_2D": depthwise,
    "FULLY_CONNECTED": fully_connected,
    "TRANSPOSE_CONV": transpose_convolution,
}
