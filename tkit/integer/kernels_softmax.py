"""The integer kernel of SOFTMAX: exponentials and a reciprocal in fixed point.

Source: LiteRT's tflite/kernels/internal/reference/softmax.h, and gemmlowp's fixedpoint.h. A number in Qm has m bits
before the binary point and 31 - m after it.
"""

from __future__ import annotations

import math

import numpy as np

from tkit.integer.fixed_point import doubling_high, factor, rounding_shift
from tkit.integer.node import Kernel, Node

_MAX = 2**31 - 1
_DIFFERENCE_BITS, _SUM_BITS = 5, 12
# exp(-2^k) in Q0 for k = -2 ... 4
_EXPONENTIALS = (1672461947, 1302514674, 790015084, 290630308, 39332535, 720401, 242)
_EXP_MINUS_EIGHTH, _THIRD = 1895147668, 715827883
_48_17TH, _MINUS_32_17TH, _ONE_Q2 = 1515870810, -1010580540, 1 << 29


def softmax(node: Node) -> Kernel:
    """SOFTMAX over the last axis."""
    table, radius = exponentials(node)
    counts = np.arange(256) < radius

    def run(x: np.ndarray) -> np.ndarray:
        below = x.max(axis=-1, keepdims=True).astype(np.int64) - x
        powers, counted = table[below], counts[below]
        total = np.where(counted, rounding_shift(powers, _SUM_BITS), 0).sum(axis=-1, keepdims=True)
        inverse, bits = reciprocal(total)
        answers = rounding_shift(doubling_high(inverse, powers), bits + 31 - 8) - 128
        return np.where(counted, np.clip(answers, -128, 127), -128).astype(np.int8)

    return run


def exponentials(node: Node) -> tuple[np.ndarray, int]:
    """exp of minus the difference to the largest logit, in Q0, int64 [256] by the difference in codes, and the number
    of differences that count; beyond them the result is 0."""
    input_scale, beta = node.quantization(0)[0], np.float32(node.operator.options["beta"])
    node.quantization()
    real = min(np.float64(beta) * np.float64(input_scale) * 2.0 ** (31 - _DIFFERENCE_BITS), 2.0**31 - 1)
    by = factor(real)
    shift = int(by.shift)
    if real <= 1:
        raise node.error(f"has an input scale of {input_scale}, too small for the kernel")
    radius = math.floor(((1 << _DIFFERENCE_BITS) - 1) * 2.0 ** (31 - _DIFFERENCE_BITS) / 2.0**shift)
    count = min(radius, 255) + 1
    kept = -np.minimum(np.arange(256), count - 1)
    return exponential(doubling_high(kept << shift, by.multiplier)), count


def exponential(x: np.ndarray) -> np.ndarray:
    """exp of Q5 numbers up to 0, in Q0; int64."""
    quarter = 1 << (31 - _DIFFERENCE_BITS - 2)
    rest = (x & (quarter - 1)) - quarter
    a = (rest << _DIFFERENCE_BITS) + (1 << 28)  # around -1/8
    square = doubling_high(a, a)
    cube, fourth = doubling_high(square, a), doubling_high(square, square)
    series = rounding_shift(doubling_high(rounding_shift(fourth, 2) + cube, _THIRD) + square, 1)
    result = _EXP_MINUS_EIGHTH + doubling_high(a + series, _EXP_MINUS_EIGHTH)
    remainder = rest - x
    for place, power in enumerate(_EXPONENTIALS):
        has = remainder & (quarter << place)
        result = np.where(has, doubling_high(result, power), result)
    return np.where(x == 0, _MAX, result)


def reciprocal(total: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """1 / a Q12 number of at least 1: a Q0 number, and the number of additional bits to shift to the right."""
    headroom = 32 - np.frexp(total.astype(np.float64))[1].astype(np.int64)
    a = (total << headroom) - (1 << 31)
    half = (a + _MAX + 1) >> 1
    x = _48_17TH + doubling_high(half, _MINUS_32_17TH)
    for _ in range(3):
        x = x + (doubling_high(x, _ONE_Q2 - doubling_high(half, x)) << 2)
    return np.minimum(x << 1, _MAX), _SUM_BITS - headroom


KERNELS = {"SOFTMAX": softmax}
