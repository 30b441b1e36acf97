"""Integer kernels of pooling and averaging, and of operators that only move codes. The first axis is always the
images'."""

from __future__ import annotations

import numpy as np

from tkit.integer.fixed_point import Factor, factor, scaled, scaled_in_floats
from tkit.integer.kernels_conv import padded, taps, windows
from tkit.integer.node import Kernel, Node


def average_pool(node: Node) -> Kernel:
    """AVERAGE_POOL_2D: padding doesn't count, halves are rounded away from zero; the scale is kept."""
    shape, options = node.tensor(0).shape, node.operator.options
    rows, columns = windows(node, shape, (options["filter_height"], options["filter_width"]))
    node.quantization(0)
    low, high = node.bounds()
    ones = np.ones((1, *shape[1:3], 1), np.int32)
    counts = sum(taps(padded(ones, rows, columns, 0, np.int32), rows, columns))

    def run(x: np.ndarray) -> np.ndarray:
        total = sum(taps(padded(x, rows, columns, 0, np.int32), rows, columns))
        mean = np.sign(total) * ((np.abs(total) + counts // 2) // counts)
        return np.clip(mean, low, high).astype(np.int8)

    return run


def max_pool(node: Node) -> Kernel:
    """MAX_POOL_2D."""
    shape, options = node.tensor(0).shape, node.operator.options
    rows, columns = windows(node, shape, (options["filter_height"], options["filter_width"]))
    node.quantization(0)
    low, high = node.bounds()

    def run(x: np.ndarray) -> np.ndarray:
        largest, *rest = taps(padded(x, rows, columns, -128, np.int8), rows, columns)
        for view in rest:
            largest = np.maximum(largest, view)
        return np.clip(largest, low, high)

    return run


def mean(node: Node) -> Kernel:
    """MEAN: the sum times a factor that includes the division, whose quotient the reference kernel truncates."""
    axes, count = reduced_axes(node)
    if 0 in axes:
        raise node.error("averages over images, which isn't supported")
    (input_scale, input_point), (scale, zero_point) = node.quantization(0), node.quantization()
    in_float32 = input_scale / scale / np.float32(count)
    by = mean_factor(node)

    def run(x: np.ndarray, _: np.ndarray) -> np.ndarray:
        sums = x.sum(axis=axes, dtype=np.int64) - input_point * count
        answers = scaled_in_floats(sums, in_float32) if node.xnnpack else scaled(sums, by)
        return np.clip(answers + zero_point, -128, 127).astype(np.int8)

    return run


def reduced_axes(node: Node) -> tuple[tuple[int, ...], int]:
    """The axes that a reduction is over, in ascending order, and the number of elements that become one."""
    shape = node.tensor(0).shape
    axes = tuple(sorted({int(axis) % len(shape) for axis in node.constant(1, "int32", 0, 1).reshape(-1)}))
    return axes, int(np.prod([shape[axis] for axis in axes]))


def mean_factor(node: Node) -> Factor:
    """What the reference kernel of MEAN multiplies a sum by."""
    count = reduced_axes(node)[1]
    whole = factor(np.float64(node.quantization(0)[0]) / np.float64(node.quantization()[0]))
    bits = min(count.bit_length() - 1, 32, 31 + int(whole.shift))
    return Factor((whole.multiplier << bits) // count, whole.shift - bits)


def concatenation(node: Node) -> Kernel:
    """CONCATENATION; all inputs have the output's scale and zero point."""
    axis = node.operator.options["axis"] % max(len(node.output.shape), 1)
    if axis == 0:
        raise node.error("joins images, which isn't supported")
    if any(node.quantization(number) != node.quantization() for number in range(len(node.inputs))):
        raise node.error("has inputs whose scales differ from its output's")

    def run(*parts: np.ndarray) -> np.ndarray:
        count = max(len(part) for part in parts)
        return np.concatenate([np.broadcast_to(part, (count, *part.shape[1:])) for part in parts], axis)

    return run


def pad(node: Node) -> Kernel:
    """PAD with the code of zero."""
    widths = node.constant(1, "int32", 2)
    if widths.shape[1] != 2 or widths[0].any() or widths.min() < 0:
        raise node.error(f"has the padding {widths.tolist()}")
    node.quantization(0)
    zero_point = node.quantization()[1]
    return lambda x, _: np.pad(x, widths, constant_values=zero_point)


def reshape(node: Node) -> Kernel:
    """RESHAPE, SQUEEZE and EXPAND_DIMS, to the shape that the file has for the output."""
    return lambda x, *_: x.reshape(len(x), *node.output.shape[1:])


def transpose(node: Node) -> Kernel:
    """TRANSPOSE."""
    order = node.constant(1, "int32", 1)
    if sorted(order.tolist()) != list(range(len(node.tensor(0).shape))) or order[0] != 0:
        raise node.error(f"has the order {order.tolist()}; expected one that leaves the images' axis the first")
    return lambda x, _: np.ascontiguousarray(x.transpose(order))


def strided_slice(node: Node) -> Kernel:
    """STRIDED_SLICE, without new axes or an ellipsis."""
    first, *chosen = slices(node)
    if not isinstance(first, slice) or first.indices(node.tensor(0).shape[0]) != (0, 1, 1):
        raise node.error("cuts images off, which isn't supported")
    index = (slice(None), *chosen)
    return lambda x, *_: x[index]


def slices(node: Node) -> list[slice | int]:
    """What STRIDED_SLICE takes along each of the first axes, at least one; a number where the axis ends."""
    options = node.operator.options
    begin, end, strides = (node.constant(number, "int32", 1).tolist() for number in (1, 2, 3))
    if options["ellipsis_mask"] or options["new_axis_mask"] or options["offset"] or not all(strides):
        raise node.error("has an ellipsis, a new axis, an offset or a stride of 0, which aren't supported")
    chosen: list[slice | int] = []
    for axis, (first, last, stride) in enumerate(zip(begin, end, strides, strict=True)):
        bit = 1 << axis
        if options["shrink_axis_mask"] & bit:
            chosen.append(first)
            continue
        chosen.append(
            slice(None if options["begin_mask"] & bit else first, None if options["end_mask"] & bit else last, stride)
        )
    if not 0 < len(chosen) <= len(node.tensor(0).shape):
        raise node.error(f"takes a part of {len(chosen)} axes of {list(node.tensor(0).shape)}")
    return chosen


KERNELS = {
    "AVERAGE_POOL_2D": average_pool,
    "CONCATENATION": concatenation,
    "EXPAND_DIMS": reshape,
    "MAX_POOL_2D": max_pool,
    "MEAN": mean,
    "PAD": pad,
    "RESHAPE": reshape,
    "SQUEEZE": reshape,
    "STRIDED_SLICE": strided_slice,
    "TRANSPOSE": transpose,
}
