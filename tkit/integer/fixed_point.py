"""The kernels' multiplication of integers by a real factor, on arrays.

LiteRT's reference kernels represent it as an int32 multiplier, in units of 2^-31, and a shift. A product is rounded
twice: to 32 bits (halves upwards), then by the right shift (halves away from zero). XNNPACK multiplies in float32.

Source: LiteRT's tflite/kernels/internal/{quantization_util.cc,common.cc}, gemmlowp's fixedpoint.h, and XNNPACK's "fp32"
requantization.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

Real = np.ndarray | np.floating | float


class Factor(NamedTuple):
    """Real factors as integers, int64 arrays of one shape: multiplier * 2^(shift - 31)."""

    multiplier: np.ndarray
    shift: np.ndarray


def factor(real: Real) -> Factor:
    """`real`, in float64, to 31 bits; below 2^-32 it becomes 0."""
    fraction, shift = np.frexp(np.asarray(real, np.float64))
    multiplier = round_half_away(fraction * 2.0**31).astype(np.int64)
    carried = multiplier == 1 << 31
    multiplier, shift = np.where(carried, multiplier >> 1, multiplier), shift.astype(np.int64) + carried
    tiny = shift < -31
    return Factor(np.where(tiny, 0, multiplier), np.where(tiny, 0, shift))


def scaled(values: np.ndarray, by: Factor) -> np.ndarray:
    """int64 `values`, which fit in 31 bits, times the factors, broadcast; int64."""
    left, right = np.maximum(by.shift, 0), np.maximum(-by.shift, 0)
    return rounding_shift(doubling_high(values, by.multiplier << left), right)


def scaled_in_floats(values: np.ndarray, by: np.ndarray | np.floating) -> np.ndarray:
    """int64 `values` times float32 factors in float32, halves to even; int64."""
    return np.rint(values.astype(np.float32) * by).astype(np.int64)


def doubling_high(one: np.ndarray, other: np.ndarray | int) -> np.ndarray:
    """The product of int64 arrays over 2^31, rounded, halves upwards."""
    product = one * other
    product += 1 << 30
    product >>= 31
    return product


def rounding_shift(values: np.ndarray, right: np.ndarray | int) -> np.ndarray:
    """int64 `values` over 2^right, rounded, halves away from zero."""
    half = (1 << np.asarray(right, np.int64)) >> 1
    downwards = values >> 63
    downwards &= -(half > 0).astype(np.int64)
    downwards += half
    downwards += values
    downwards >>= right
    return downwards


def round_half_away(values: Real) -> np.ndarray:
    """Floats rounded to integers, halves away from zero, like C's `round`."""
    exact = np.asarray(values, np.float64)  # in float32, 0.49999997 + 0.5 is 1
    return np.copysign(np.floor(np.abs(exact) + 0.5), exact)
