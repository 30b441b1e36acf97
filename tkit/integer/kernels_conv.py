"""Integer kernels of convolutions and matrix products.

Sums of products of integers are exact in floating point as long as none can exceed 2^24 (float32) or 2^53 (float64);
the largest possible sum follows from the weights. So BLAS computes the matrix products.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from tkit.integer.fixed_point import factor, round_half_away, scaled, scaled_in_floats
from tkit.integer.node import Kernel, Node

BLOCK = 1 << 15  # sums at once, 64 bits each: they stay in the processor's cache


class Window(NamedTuple):
    """How a window moves along one axis."""

    size: int
    stride: int
    dilation: int
    steps: int
    before: int
    """Padding before the first element."""
    padded: int
    """The axis's length with the padding that the windows cover."""


def window(node: Node, axis: str, length: int, size: int) -> Window:
    """The window of `size` taps along "height" or "width", `length` long."""
    options = node.operator.options
    stride, dilation = options[f"stride_{axis}"], options.get(f"dilation_{axis}", 1)
    if min(length, size, stride, dilation) < 1:
        raise node.error(f"has a {axis} of {length}, windows of {size}, stride {stride} and dilation {dilation}")
    reach = (size - 1) * dilation + 1
    same = options["padding"] == "SAME"
    steps = -(-length // stride) if same else (length - reach) // stride + 1
    if steps < 1:
        raise node.error(f"has windows of {reach} on a {axis} of {length}")
    needed = (steps - 1) * stride + reach
    before = max(needed - length, 0) // 2 if same else 0
    return Window(size, stride, dilation, steps, before, max(needed, before + length))


def windows(node: Node, shape: tuple[int, ...], size: tuple[int, ...]) -> tuple[Window, Window]:
    """The windows along height and width of images [1, height, width, channels]."""
    if len(shape) != 4 or len(size) != 2:
        raise node.error(f"has an input {list(shape)}; expected [1, height, width, channels]")
    return window(node, "height", shape[1], size[0]), window(node, "width", shape[2], size[1])


def padded(x: np.ndarray, rows: Window, columns: Window, fill: int, dtype: Any) -> np.ndarray:
    """`x` [n, height, width, channels] with `fill` around it."""
    count, height, width, channels = x.shape
    wide = np.full((count, rows.padded, columns.padded, channels), fill, dtype)
    wide[:, rows.before : rows.before + height, columns.before : columns.before + width] = x
    return wide


def taps(wide: np.ndarray, rows: Window, columns: Window) -> list[np.ndarray]:
    """For each tap of the window, row by row, its inputs: views [n, steps, steps, channels]."""

    def along(w: Window, tap: int) -> slice:
        start = tap * w.dilation
        return slice(start, start + (w.steps - 1) * w.stride + 1, w.stride)

    return [
        wide[:, along(rows, row), along(columns, column)] for row in range(rows.size) for column in range(columns.size)
    ]


def convolution(node: Node) -> Kernel:
    """CONV_2D; a filter [out, height, width, in / groups]."""
    filters = node.constant(1, "int8", 4)
    count, depth = filters.shape[0], filters.shape[3]
    rows, columns = windows(node, node.tensor(0).shape, filters.shape[1:3])
    channels = node.tensor(0).shape[3]
    groups = channels // max(depth, 1)
    if depth * groups != channels or not groups or count % groups:
        raise node.error(f"has a filter {list(filters.shape)} for {channels} channels")
    zero_point = node.quantization(0)[1]
    dtype = exact_type(node, filters.reshape(count, -1), zero_point)
    # [groups, taps * in, out]
    matrices = filters.reshape(groups, count // groups, -1).transpose(0, 2, 1).astype(dtype)
    finish = requantization(node, count)

    def run(x: np.ndarray, *_: np.ndarray | None) -> np.ndarray:
        wide = padded(x, rows, columns, zero_point, dtype)
        wide -= zero_point
        views = taps(wide, rows, columns)
        sums = np.empty((*views[0].shape[:3], count), dtype)
        out = count // groups
        for group, matrix in enumerate(matrices):
            met = np.concatenate([view[..., group * depth : (group + 1) * depth] for view in views], axis=-1)
            sums[..., group * out : (group + 1) * out] = met @ matrix
        return finish(sums)

    return run


def depthwise_convolution(node: Node) -> Kernel:
    """DEPTHWISE_CONV_2D; a filter [1, height, width, in * multiplier]."""
    filters = node.constant(1, "int8", 4)
    rows, columns = windows(node, node.tensor(0).shape, filters.shape[1:3])
    multiplier = node.operator.options["multiplier"]
    if filters.shape[0] != 1 or filters.shape[3] != node.tensor(0).shape[3] * multiplier:
        raise node.error(f"has a filter {list(filters.shape)} for {node.tensor(0).shape[3]} channels x {multiplier}")
    zero_point = node.quantization(0)[1]
    weights = filters.reshape(-1, filters.shape[3])
    dtype = exact_type(node, weights.T, zero_point)
    finish = requantization(node, filters.shape[3])

    def run(x: np.ndarray, *_: np.ndarray | None) -> np.ndarray:
        wide = padded(x, rows, columns, zero_point, dtype)
        wide -= zero_point
        if multiplier > 1:
            wide = np.repeat(wide, multiplier, axis=-1)
        views = taps(wide, rows, columns)
        sums = np.zeros(views[0].shape, dtype)
        for view, weight in zip(views, weights.astype(dtype), strict=True):
            sums += view * weight
        return finish(sums)

    return run


def fully_connected(node: Node) -> Kernel:
    """FULLY_CONNECTED; weights [out, in]."""
    weights = node.constant(1, "int8", 2)
    if node.operator.options["weights_format"] != "DEFAULT":
        raise node.error("has shuffled weights, which aren't supported")
    filter_points = node.tensor(1).zero_points
    if filter_points.any():
        raise node.error("has weights with a zero point, which aren't supported")
    count, depth = weights.shape
    zero_point = node.quantization(0)[1]
    dtype = exact_type(node, weights, zero_point)
    matrix = weights.T.astype(dtype)
    finish = requantization(node, count)

    def run(x: np.ndarray, *_: np.ndarray | None) -> np.ndarray:
        return finish((x.reshape(-1, depth).astype(dtype) - zero_point) @ matrix)

    return run


def transpose_convolution(node: Node) -> Kernel:
    """TRANSPOSE_CONV; inputs are its output's shape, the filter [out, height, width, in], images, perhaps a bias."""
    filters = node.constant(1, "int8", 4)
    count, height, width, depth = filters.shape
    shape, target = node.tensor(2).shape, node.constant(0, "int32", 1)
    if len(shape) != 4 or shape[3] != depth or len(target) != 4:
        raise node.error(f"has an input {list(shape)} and a filter {list(filters.shape)}")
    # The windows are those of the convolution that it is the transpose of, on its output.
    rows, columns = (
        window(node, axis, int(target[place]), filters.shape[place]) for place, axis in ((1, "height"), (2, "width"))
    )
    zero_point = node.quantization(2)[1]
    dtype = exact_type(node, filters.reshape(count, -1), zero_point)
    matrix = filters.transpose(3, 1, 2, 0).reshape(depth, -1).astype(dtype)
    finish = requantization(node, count, images=2, bias=3)

    def run(_: np.ndarray, __: np.ndarray, x: np.ndarray, *___: np.ndarray | None) -> np.ndarray:
        parts = ((x.astype(dtype) - zero_point) @ matrix).reshape(*x.shape[:3], height * width, count)
        tall = max(rows.padded, (x.shape[1] - 1) * rows.stride + height)
        broad = max(columns.padded, (x.shape[2] - 1) * columns.stride + width)
        sums = np.zeros((len(x), tall, broad, count), dtype)
        reached = [w._replace(steps=size) for w, size in ((rows, x.shape[1]), (columns, x.shape[2]))]
        for place, view in enumerate(taps(sums, *reached)):
            view += parts[:, :, :, place]
        top, left = rows.before, columns.before
        return finish(sums[:, top : top + int(target[1]), left : left + int(target[2])])

    return run


def exact_type(node: Node, weights: np.ndarray, zero_point: int) -> Any:
    """The float type that holds every sum of `weights` [out, products] times codes exactly."""
    largest = int(np.abs(weights.astype(np.int64)).sum(axis=1).max()) * max(127 - zero_point, zero_point + 128)
    if largest >= 2**31:
        raise node.error("has sums past 32 bits")
    return np.float32 if largest <= 2**24 else np.float64


def requantization(node: Node, count: int, images: int = 0, bias: int = 2) -> Kernel:
    """A function from an operator's sums [..., count] to its output's codes.

    Args:
        node: its input 1 has the weights.
        count: the number of output channels.
        images, bias: the indices of these inputs.
    """
    zero_point = node.quantization()[1]
    rescaled = rescaling(node, count, images)
    low, high = node.bounds()
    offset = biases(node, count, bias)

    def run(sums: np.ndarray) -> np.ndarray:
        rows = sums.reshape(-1, count)
        answers = np.empty(rows.shape, np.int8)
        block = max(BLOCK // count, 1)
        for start in range(0, len(rows), block):
            exact = rows[start : start + block].astype(np.int64)
            exact += offset
            codes = rescaled(exact)
            codes += zero_point
            answers[start : start + block] = np.clip(codes, low, high, out=codes)
        return answers.reshape(sums.shape)

    return run


def biases(node: Node, count: int, bias: int = 2) -> np.ndarray:
    """The biases of `count` output channels, int64; 0 where the operator has none."""
    if node.optional(bias) is None:
        return np.zeros(count, np.int64)
    found = node.constant(bias, "int32", len(node.tensor(bias).shape)).reshape(-1).astype(np.int64)
    if len(found) != count:
        raise node.error(f"has {len(found)} biases for {count} channels")
    return found


def filter_scales(node: Node, count: int) -> np.ndarray:
    """The scales of the weights, input 1: float32, one or one per output channel."""
    scales = node.tensor(1).scales
    if len(scales) not in (1, count):
        raise node.error(f"has {len(scales)} scales for {count} channels")
    return scales


def output_factors(node: Node, count: int, images: int = 0) -> np.ndarray:
    """What the reference kernels multiply sums by, float64: one factor, or one per output channel."""
    scales = filter_scales(node, count).astype(np.float64)
    return np.float64(node.quantization(images)[0]) * scales / np.float64(node.quantization()[0])


def rescaling(node: Node, count: int, images: int) -> Kernel:
    """A function that rescales sums [..., channels], int64, to the output's scale."""
    if node.xnnpack:
        in_float32 = node.quantization(images)[0] * filter_scales(node, count) / node.quantization()[0]
        return lambda sums: scaled_in_floats(sums, in_float32)
    real = output_factors(node, count, images)
    if node.operator.name == "FULLY_CONNECTED":
        return lambda sums: round_half_away(sums * real).astype(np.int64)
    by = factor(real)
    return lambda sums: scaled(sums, by)


KERNELS = {
    "CONV_2D": convolution,
    "DEPTHWISE_CONV_2D": depthwise_convolution,
    "FULLY_CONNECTED": fully_connected,
    "TRANSPOSE_CONV": transpose_convolution,
}
