"""The pixels that TensorFlow decodes an image to, without TensorFlow: `tf.image.decode_image(data, channels)`.

- JPEG: the fast integer transform (TensorFlow's default; Pillow's is the accurate one, which differs by up to 9 of
  255) with smooth ("fancy") chroma upsampling; grey is the luma plane. Bit for bit TensorFlow's pixels, except in
  CMYK files with subsampled planes.
- PNG: alpha is dropped, not composed; of 16 bits the high byte; grey by libpng's integer luma.
- GIF: the first frame, transparent pixels black. BMP, WebP: alpha is dropped; BMP's palette is ignored: its indices
  are grey levels.
- What TensorFlow refuses (grey from BMP, GIF, WebP or CMYK; WebP with alpha) follows the same rules: alpha is dropped,
  grey is luma.
- EXIF orientation is ignored.

Source: TensorFlow's core/lib/{jpeg,png,gif}, libjpeg-turbo's jdsample.c and jdcolor.c, libpng's pngrtran.c.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from PIL.Image import Image

Sampler = Callable[[np.ndarray, np.ndarray], np.ndarray]
"""Rows (int [n]) and columns (int [m]) of an image to their pixels, uint8 [n, m, channels]."""
_ADOBE_RGB, _RGB_IDS = 0, (82, 71, 66)
_FAST_TRANSFORM = (1, 1)
"""Pillow's settings of its JPEG decoder: full scale; the fast transform, without smooth upsampling."""
_LUMA = (9797, 19234, 3737)
"""libpng's integer weights of red, green and blue, of 32768."""


def sampler(image: Image, channels: int) -> Sampler:
    """Access to the pixels of an image that Pillow has opened but not loaded yet.

    Only the pixels asked for are converted: bilinear resizing needs four for each of its own.

    Args:
        image: as `PIL.Image.open` gives it.
        channels: 1 (grey) or 3 (RGB).
    """
    if image.format == "JPEG" and image.mode in ("L", "RGB"):
        return _jpeg(image, channels)
    pixels = _rgb_or_grey(image)
    if channels == 1 and pixels.shape[2] == 3:
        return lambda rows, columns: _luma(pixels[rows][:, columns])
    if channels == 3 and pixels.shape[2] == 1:
        return lambda rows, columns: np.repeat(pixels[rows][:, columns], 3, axis=2)
    return lambda rows, columns: pixels[rows][:, columns]


def _rgb_or_grey(image: Image) -> np.ndarray:
    """uint8 [height, width, 1 or 3], transparency dropped."""
    if image.mode.startswith("I"):  # 16-bit grey; older Pillows call it "I", 32 bits wide
        return (np.clip(np.asarray(image).astype(np.int32), 0, 65535) >> 8).astype(np.uint8)[..., None]
    if image.mode == "CMYK":
        return _from_cmyk(image)
    if image.format == "GIF" and "transparency" in image.info:
        layer = np.asarray(image.convert("RGBA"))
        return layer[..., :3] * (layer[..., 3:] > 0)
    if image.format == "BMP" and image.mode == "P":
        return np.asarray(image)[..., None]
    if image.mode in ("L", "LA", "1"):
        return np.asarray(image.convert("LA" if image.mode == "LA" else "L")).reshape(*image.size[::-1], -1)[..., :1]
    if image.mode in ("P", "PA"):
        return np.asarray(image.convert("RGBA"))[..., :3]
    return np.asarray(image if image.mode in ("RGB", "RGBA") else image.convert("RGB"))[..., :3]


def _from_cmyk(image: Any) -> np.ndarray:
    if image.format == "JPEG" and {layer[1:3] for layer in image.layer} == {(1, 1)}:
        image.decoderconfig = _FAST_TRANSFORM
    inks = 255 - np.asarray(image).astype(np.uint16)
    return (inks[..., :3] * inks[..., 3:] // 255).astype(np.uint8)


def _luma(pixels: np.ndarray) -> np.ndarray:
    return ((pixels.astype(np.int32) @ np.array(_LUMA, np.int32)) >> 15).astype(np.uint8)[..., None]


def _jpeg(image: Any, channels: int) -> Sampler:
    ids, factors = [layer[0] for layer in image.layer], [layer[1:3] for layer in image.layer]
    if image.mode == "L" or channels == 1:
        grey = _planes(image, "L")[..., None]
        return lambda rows, columns: np.repeat(grey[rows][:, columns], channels, axis=2)
    adobe = image.info.get("adobe_transform") if "jfif" not in image.info else None
    if adobe == _ADOBE_RGB or (adobe is None and "jfif" not in image.info and tuple(ids) == _RGB_IDS):
        rgb = _planes(image, "RGB")
        return lambda rows, columns: rgb[rows][:, columns]
    planes = _planes(image, "YCbCr")
    (across, down), *chroma = factors
    if chroma != [(1, 1), (1, 1)] or (across, down) not in ((1, 2), (2, 1), (2, 2)):
        return lambda rows, columns: _to_rgb(planes[rows][:, columns].astype(np.int32))
    return _upsampled(planes, across, down)


def _planes(image: Any, mode: str) -> np.ndarray:
    """A JPEG file's planes, decoded to this colour space by the fast transform."""
    image.draft(mode, None)
    image.decoderconfig = _FAST_TRANSFORM
    return np.asarray(image)


def _upsampled(planes: np.ndarray, across: int, down: int) -> Sampler:
    """Pixels of Y, Cb and Cr whose chroma is 1 sample for `across` x `down` pixels, smoothly upsampled.

    libjpeg-turbo's triangle filter: three quarters of the nearest sample, one of the next, in each direction. Images of
    up to two samples across are not smoothed.
    """
    chroma = planes[::down, ::across, 1:]
    height, width = chroma.shape[:2]

    def sample(rows: np.ndarray, columns: np.ndarray) -> np.ndarray:
        pixels = planes[rows][:, columns].astype(np.int32)
        if across == 2 and width <= 2:
            return _to_rgb(pixels)
        lines = chroma[rows // down].astype(np.int32)
        if down == 2:
            lines = 3 * lines + chroma[np.clip(rows // 2 + 2 * (rows % 2) - 1, 0, height - 1)]
        if across == 1:
            pixels[..., 1:] = (lines[:, columns] + (1 + rows % 2)[:, None, None]) >> 2
            return _to_rgb(pixels)
        near, odd = columns // 2, columns % 2
        sums = 3 * lines[:, near] + lines[:, np.clip(near + 2 * odd - 1, 0, width - 1)]
        bias, shift = (8 - odd, 4) if down == 2 else (1 + odd, 2)
        pixels[..., 1:] = (sums + bias[:, None]) >> shift
        return _to_rgb(pixels)

    return sample


def _to_rgb(pixels: np.ndarray) -> np.ndarray:
    """Y, Cb and Cr (int32) to RGB (uint8) in libjpeg's 16-bit fixed point."""
    half = 1 << 15
    luma, blue, red = pixels[..., 0], pixels[..., 1] - 128, pixels[..., 2] - 128
    channels = (
        luma + ((91881 * red + half) >> 16),
        luma + ((-22554 * blue - 46802 * red + half) >> 16),
        luma + ((116130 * blue + half) >> 16),
    )
    return np.clip(np.stack(channels, axis=-1), 0, 255).astype(np.uint8)
