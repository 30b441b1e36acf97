"""Integer kernels of elementwise operators: with only 8 bits, each is a lookup table of all results."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from tkit.integer.fixed_point import Factor, factor, round_half_away, rounding_shift, scaled, scaled_in_floats
from tkit.integer.node import Kernel, Node

ADD_BITS = 20
"""ADD and SUB rescale both inputs to twice the larger scale with this many extra bits, XNNPACK to the output's
scale."""


def codes(dtype: str = "int8") -> np.ndarray:
    """All codes of an 8-bit type, in the order of their bytes, in int64."""
    return np.arange(256, dtype=np.uint8).view(dtype).astype(np.int64)


def table_of_one(answers: np.ndarray) -> Kernel:
    """A kernel that looks up each code in `answers` [256]."""
    return lambda x, *_: answers[x.view(np.uint8)]


def table_of_two(answers: np.ndarray) -> Kernel:
    """A kernel of two inputs, broadcast, that looks up each pair of codes in `answers` [256, 256]."""
    flat = answers.reshape(-1)

    def run(x: np.ndarray, y: np.ndarray) -> np.ndarray:
        return flat[(x.view(np.uint8).astype(np.uint16) << 8) | y.view(np.uint8)]

    return run


def sum_or_difference(node: Node) -> Kernel:
    """ADD and SUB."""
    (x_scale, x_point), (y_scale, y_point) = node.quantization(0), node.quantization(1)
    scale, zero_point = node.quantization()
    x, y = codes() - x_point, codes() - y_point
    sign = 1 if node.operator.name == "ADD" else -1
    if node.xnnpack:
        x_ratio, y_ratio = x_scale / scale, y_scale / scale
        shift = ADD_BITS + 1 - int(np.frexp(max(x_ratio, y_ratio))[1])
        x, y = x * int(np.rint(np.ldexp(x_ratio, shift))), y * int(np.rint(np.ldexp(y_ratio, shift)))
        answers = (x[:, None] + sign * y + (1 << (shift - 1))) >> shift
    else:
        x_factor, y_factor, factor_of_sum = sum_factors(node)
        x, y = scaled(x << ADD_BITS, x_factor), scaled(y << ADD_BITS, y_factor)
        answers = scaled(x[:, None] + sign * y, factor_of_sum)
    return table_of_two(np.clip(answers + zero_point, *node.bounds()).astype(np.int8))


def sum_factors(node: Node) -> tuple[Factor, Factor, Factor]:
    """What the reference kernels multiply both inputs of ADD and SUB by, with `ADD_BITS` more bits, and their sum."""
    x_scale, y_scale, scale = (np.float64(node.quantization(number)[0]) for number in (0, 1, None))
    twice = 2 * max(x_scale, y_scale)
    return factor(x_scale / twice), factor(y_scale / twice), factor(twice / (2.0**ADD_BITS * scale))


def product_factor(node: Node) -> np.float32:
    """What a product of codes is multiplied by."""
    return node.quantization(0)[0] * node.quantization(1)[0] / node.quantization()[0]


def product(node: Node) -> Kernel:
    """MUL."""
    products = (codes() - node.quantization(0)[1])[:, None] * (codes() - node.quantization(1)[1])
    by, zero_point = product_factor(node), node.quantization()[1]
    answers = scaled_in_floats(products, by) if node.xnnpack else scaled(products, factor(by))
    return table_of_two(np.clip(answers + zero_point, *node.bounds()).astype(np.int8))


def rectifier(low: float, high: float | None) -> Callable[[Node], Kernel]:
    """RELU, RELU6, RELU_N1_TO_1: between two real values."""

    def kernel(node: Node) -> Kernel:
        (input_scale, input_point), (scale, zero_point) = node.quantization(0), node.quantization()
        answers = scaled(codes() - input_point, factor(input_scale / scale)) + zero_point
        lowest = max(-128, zero_point + int(round_half_away(np.float32(low) / scale)))
        highest = 127 if high is None else min(127, zero_point + int(round_half_away(np.float32(high) / scale)))
        return table_of_one(np.clip(answers, lowest, highest).astype(np.int8))

    return kernel


def leaky_relu(node: Node) -> Kernel:
    """LEAKY_RELU."""
    (input_scale, input_point), (scale, zero_point) = node.quantization(0), node.quantization()
    alpha = np.float32(node.operator.options["alpha"])
    steps = codes() - input_point
    if node.xnnpack:
        kept, damped = (np.rint(256 * (input_scale / scale) * slope).astype(np.int64) for slope in (1, alpha))
        answers = (steps * np.where(steps >= 0, kept, damped) + 128) >> 8
    else:
        kept = scaled(steps, factor(input_scale / scale))
        damped = scaled(steps, factor(abs(input_scale * alpha / scale)))
        answers = np.where(steps >= 0, kept, damped if alpha >= 0 else -damped)
    return table_of_one(np.clip(answers + zero_point, -128, 127).astype(np.int8))


def hard_swish(node: Node) -> Kernel:
    """HARD_SWISH, x * relu6(x + 3) / 6, in 16 bits; the last product is truncated."""
    if node.xnnpack:
        raise node.error("isn't supported in XNNPACK's arithmetic")
    (input_scale, input_point), (scale, zero_point) = node.quantization(0), node.quantization()
    fine = np.float32(1 / 128) * input_scale
    by_output, by_three = factor(fine / scale), factor(fine / np.float32(3 / 32768))
    steps = (codes() - input_point) << 7
    output = _high_16(steps, _to_16_bits(by_output.multiplier))
    share, exponent = steps, int(by_three.shift)
    share = _saturated(share << max(exponent - 1, 0))
    share = _high_16(share, _to_16_bits(by_three.multiplier))
    share = _saturated(share << 1) if exponent > 0 else rounding_shift(share, -exponent)
    share = (share + (1 << 15)) >> 1
    product = share * output
    answers = np.sign(product) * (np.abs(product) >> 15)  # truncated
    answers = rounding_shift(answers, -by_output.shift) + zero_point
    return table_of_one(np.clip(answers, -128, 127).astype(np.int8))


def _to_16_bits(multiplier: np.ndarray) -> np.ndarray:
    """A 31-bit multiplier with 15 bits, halves upwards."""
    return np.minimum((multiplier + (1 << 15)) >> 16, 2**15 - 1)


def _high_16(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """The product over 2^15, halves upwards."""
    return (one * other + (1 << 14)) >> 15


def _saturated(values: np.ndarray) -> np.ndarray:
    return np.clip(values, -(2**15), 2**15 - 1)


def function(of: Callable[[np.ndarray], np.ndarray]) -> Callable[[Node], Kernel]:
    """LOGISTIC and TANH: the float32 function of every code, rounded."""

    def kernel(node: Node) -> Kernel:
        (input_scale, input_point), (scale, zero_point) = node.quantization(0), node.quantization()
        real = of(input_scale * (codes() - input_point).astype(np.float32))
        answers = round_half_away(real * (np.float32(1) / scale)) + zero_point
        return table_of_one(np.clip(answers, -128, 127).astype(np.int8))

    return kernel


def logistic(x: np.ndarray) -> np.ndarray:
    """1 / (1 + exp(-x)) in float32, the exponential correctly rounded."""
    with np.errstate(over="ignore"):
        return np.float32(1) / (np.float32(1) + np.exp(-x.astype(np.float64)).astype(np.float32))


def tanh(x: np.ndarray) -> np.ndarray:
    """tanh, correctly rounded to float32."""
    return np.tanh(x.astype(np.float64)).astype(np.float32)


def quantize(node: Node) -> Kernel:
    """QUANTIZE: from float32, or from 8 bits to other 8 bits."""
    scale, zero_point = node.scale(node.output)
    dtype = byte_type(node, node.output.dtype)
    limits = np.iinfo(dtype)
    if node.tensor(0).dtype == "float32":
        return lambda x: np.clip(round_half_away(x / scale) + zero_point, limits.min, limits.max).astype(dtype)
    input_scale, input_point = node.scale(node.tensor(0))
    steps = codes(byte_type(node, node.tensor(0).dtype)) - input_point
    answers = scaled(steps, factor(np.float64(input_scale) / np.float64(scale))) + zero_point
    return table_of_one(np.clip(answers, limits.min, limits.max).astype(dtype))


def dequantize(node: Node) -> Kernel:
    """DEQUANTIZE: 8 bits to float32."""
    scale, zero_point = node.scale(node.tensor(0))
    return table_of_one(scale * (codes(byte_type(node, node.tensor(0).dtype)) - zero_point).astype(np.float32))


def byte_type(node: Node, dtype: str) -> Any:
    """`dtype`, which has to be int8 or uint8."""
    if dtype not in ("int8", "uint8"):
        raise node.error(f"has {dtype} tensors; expected int8 or uint8")
    return dtype


KERNELS = {
    "ADD": sum_or_difference,
    "DEQUANTIZE": dequantize,
    "HARD_SWISH": hard_swish,
    "LEAKY_RELU": leaky_relu,
    "LOGISTIC": function(logistic),
    "MUL": product,
    "QUANTIZE": quantize,
    "RELU": rectifier(0.0, None),
    "RELU6": rectifier(0.0, 6.0),
    "RELU_N1_TO_1": rectifier(-1.0, 1.0),
    "SUB": sum_or_difference,
    "TANH": function(tanh),
}
