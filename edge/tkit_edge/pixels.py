"""What a model takes of pixels, and the codes of a file's input tensor for them."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from tkit_edge.errors import InputError


class Pixels(NamedTuple):
    """What a model takes of pixels: raw bytes times `factor` plus `offset`, of each of its channels."""

    factor: float | tuple[float, float, float] = 1.0
    offset: float | tuple[float, float, float] = 0.0
    bgr: bool = False
    """Whether the model's channels are blue, green and red, in this order."""


_IMAGENET_MEAN, _IMAGENET_DEVIATION = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
PIXELS = {
    "0-255": Pixels(),
    "0-1": Pixels(1 / 255),
    "-1-1": Pixels(1 / 127.5, -1.0),
    "caffe": Pixels(offset=(-103.939, -116.779, -123.68), bgr=True),
    "torch": Pixels(
        tuple(1 / (255 * deviation) for deviation in _IMAGENET_DEVIATION),  # type: ignore[arg-type]  # three
        tuple(-mean / deviation for mean, deviation in zip(_IMAGENET_MEAN, _IMAGENET_DEVIATION)),  # type: ignore[arg-type]
    ),
}
"""By name. "caffe" and "torch" are modes of `preprocess_input` in Keras Applications; that one's "tf" is "-1-1"."""


def pixel_codes(type_: Any, scale: float, zero_point: int, pixels: str, name: str) -> np.ndarray:
    """What each pixel value 0-255 is in the input tensor's type.

    Args:
        type_: the input tensor's, anything that `np.dtype` takes.
        scale, zero_point: its quantization; scale 0 for none.
        pixels: what the model takes, of `PIXELS`.
        name: what the error message calls the model.

    Returns:
        An array [256, channels] of that type; one column holds for all channels where there is one.

    Raises:
        InputError: the input is neither float nor quantized.
    """
    factor, offset, _ = PIXELS[pixels]
    values = np.arange(256, dtype=np.float32)[:, None] * np.asarray(factor, np.float32) + np.asarray(offset, np.float32)
    dtype = np.dtype(type_)
    if dtype.kind != "f" and (dtype.kind not in "iu" or not scale):
        raise InputError(f"{name} has an unquantized {dtype} input; expected float or quantized.")
    return quantized(values, dtype, scale, zero_point)


def quantized(values: np.ndarray, dtype: np.dtype, scale: float, zero_point: int) -> np.ndarray:
    """Float32 values in a tensor's type: as they are in a float one, else the nearest codes."""
    if dtype.kind == "f":
        return values.astype(dtype)
    limits = np.iinfo(dtype)
    steps = values / np.float32(scale)
    # Half away from zero, as the runtime's own QUANTIZE rounds.
    codes = np.copysign(np.floor(np.abs(steps) + np.float32(0.5)), steps) + zero_point
    return np.clip(codes, limits.min, limits.max).astype(dtype)


def dequantized(output: np.ndarray, scale: float, zero_point: int) -> np.ndarray:
    """An output tensor's float32 values; scale 0 for an output that isn't quantized."""
    values = output.astype(np.float32)
    return (values - zero_point) * np.float32(scale) if scale else values
