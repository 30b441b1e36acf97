"""From an encoded image to the pixels that a model sees: one implementation for training and device.

JPEG, PNG, BMP, WebP, or GIF (its first frame), by one of two families of rules.

"crop" and "stretch", what tkit's recipes use:

1. Turned upright by its EXIF orientation.
2. Of more than 8 bits a channel, the high byte. Transparent pixels are laid over black. Then converted to RGB
   (3 channels) or to grey by ITU-R 601 luma (1 channel).
3. An image that has the wanted size already is left untouched. Any other, with "crop", is scaled until it covers
   the size, and what stands out is cut off evenly; in one step and at fractional positions, so that a long thin
   image costs no memory. With "stretch" it is scaled to the size whatever its aspect ratio. The filter is Pillow's
   bilinear one, which averages when it shrinks.

"keras", "keras-crop" and "keras-pad", what a model saw that was trained through
`keras.utils.image_dataset_from_directory` (with `crop_to_aspect_ratio=True`, `pad_to_aspect_ratio=True`): TensorFlow's
decoding (`tensorflow_pixels`: EXIF orientation is ignored, alpha dropped), then Keras's resizing without averaging
(`keras_resize`), rounded to whole numbers.
"""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any

import numpy as np

from tkit_edge import keras_resize
from tkit_edge.errors import InputError
from tkit_edge.tensorflow_pixels import sampler

if TYPE_CHECKING:
    from PIL.Image import Image

# Fixed, so that no rarer and less tested decoder is reached; EPS would even start another program.
FORMATS = ("JPEG", "PNG", "BMP", "GIF", "WEBP")
_MAGIC = {b"\xff\xd8\xff": ".jpg", b"\x89PNG": ".png", b"BM": ".bmp", b"GIF8": ".gif", b"RIFF": ".webp"}
LOSSY = (".jpg", ".webp")
SUFFIXES = (*_MAGIC.values(), ".jpeg")
"""What image files are called."""
DECODER_TOLERANCE = 3
"""The most by which two JPEG decoders that round differently may differ in a pixel's channel, of 255.

Two decoders whose inverse transform errs by less than half a step (libjpeg's accurate and float ones, not its fast
one) differ by at most 1 in each of Y, Cb and Cr; upsampling only averages that. Conversion to RGB adds up to
1 + 1.772, which rounds to 3; grey, scaling and cropping take averages again, and rounding keeps whole distances.
More than that is another decoding (upsampling, colour profile, fast transform), not another rounding.
"""
MAX_PIXELS = 80_000_000
"""Images with more are refused before they are decoded: as RGB they would take over 240 MB."""
_MODES = {1: "L", 3: "RGB"}
RESIZES = ("crop", "stretch", *keras_resize.RESIZES)


def decode(
    data: bytes, height: int, width: int, channels: int, resize: str = "crop", *, name: str = "The image"
) -> np.ndarray:
    """The pixels of an encoded image, by the rule above.

    Args:
        data: the file's bytes.
        height: of the result, in pixels.
        width: of the result, in pixels.
        channels: 1 (grey) or 3 (RGB).
        resize: one of `RESIZES`: the rule.
        name: what error messages call the image.

    Returns:
        uint8 [height, width, channels].

    Raises:
        InputError: no image, a damaged or too large one, or Pillow is not installed.

    Example: `decode(Path("cat.jpg").read_bytes(), 96, 96, 3)`
    """
    _check(height, width, channels, resize)
    pillow = _pillow()
    try:
        with pillow.Image.open(io.BytesIO(data), formats=FORMATS) as image:
            if image.width * image.height > MAX_PIXELS:
                raise pillow.Image.DecompressionBombError(f"it has {image.width} x {image.height} pixels")
            return _fitted(pillow, image, (height, width, channels), resize)
    except (pillow.Image.DecompressionBombError, pillow.Image.DecompressionBombWarning) as error:
        raise InputError(f"{name} is too large: {error}; at most {MAX_PIXELS:,} pixels are decoded.") from error
    except pillow.UnidentifiedImageError as error:
        raise InputError(f"{name} is not an image that can be read: expected {', '.join(FORMATS)}.") from error
    except Exception as error:  # what a decoder raises on damaged data is anything at all
        raise InputError(f"{name} is damaged: {error}") from error


def from_array(frame: np.ndarray, height: int, width: int, channels: int, resize: str = "crop") -> np.ndarray:
    """The pixels that a model sees of a decoded image, such as a camera's frame, by the rule above.

    Args:
        frame: uint8 [any height, any width] or [any height, any width, 1, 3 or 4]: grey, RGB (OpenCV gives BGR:
            `frame[..., ::-1]`) or RGBA.
        height, width, channels, resize: as `decode` takes them.

    Returns:
        uint8 [height, width, channels].

    Raises:
        InputError: another dtype or shape; or Pillow is not installed, which frames of the very size don't need.
    """
    _check(height, width, channels, resize)
    if frame.dtype != np.uint8 or frame.ndim not in (2, 3) or (frame.ndim == 3 and frame.shape[2] not in (1, 3, 4)):
        raise InputError(
            f"Expected a uint8 image [height, width] or [height, width, 1, 3 or 4], received {frame.dtype} "
            f"{list(frame.shape)}."
        )
    pixels = frame if frame.ndim == 3 else frame[..., None]
    if not frame.size:
        raise InputError(f"Expected an image of at least 1x1 pixels, received {list(frame.shape)}.")
    if pixels.shape == (height, width, channels):
        return np.ascontiguousarray(pixels)
    pillow = _pillow()
    made = pillow.Image.fromarray(np.ascontiguousarray(pixels[..., 0] if pixels.shape[2] == 1 else pixels))
    return _fitted(pillow, made, (height, width, channels), resize)


def _check(height: int, width: int, channels: int, resize: str) -> None:
    if channels not in _MODES or height < 1 or width < 1:
        raise InputError(f"Expected 1 or 3 channels and a size of at least 1x1, received {height}x{width}x{channels}.")
    if resize not in RESIZES:
        raise InputError(f"Unknown resize {resize!r}: expected one of {', '.join(RESIZES)}.")


def _fitted(pillow: Any, image: Image, shape: tuple[int, int, int], resize: str) -> np.ndarray:
    """An opened image's pixels, uint8 of `shape`."""
    height, width, channels = shape
    if resize in keras_resize.RESIZES:
        return keras_resize.resized(sampler(image, channels), image.size[::-1], (height, width), resize)
    upright = pillow.ImageOps.exif_transpose(image)
    pixels = _to_mode(pillow, upright, _MODES[channels])
    if pixels.size != (width, height) and resize == "stretch":
        pixels = pixels.resize((width, height), pillow.Image.BILINEAR)
    elif pixels.size != (width, height):
        pixels = pillow.ImageOps.fit(pixels, (width, height), method=pillow.Image.BILINEAR)
    return np.array(pixels, np.uint8).reshape(shape)


def suffix(data: bytes) -> str:
    """What the file of an encoded image is called, by its first bytes: ".jpg", ".png" ...; "" for others."""
    if data.startswith(b"RIFF") and data[8:12] != b"WEBP":  # sound, most likely
        return ""
    return next((name for magic, name in _MAGIC.items() if data.startswith(magic)), "")


def encode_png(image: np.ndarray) -> bytes:
    """uint8 pixels [height, width, 1 or 3] as a PNG, from which `decode` gives them back.

    Raises:
        InputError: Pillow is not installed.
    """
    buffer = io.BytesIO()
    _pillow().Image.fromarray(image[..., 0] if image.shape[-1] == 1 else image).save(buffer, "PNG")
    return buffer.getvalue()


def encode_jpeg(image: np.ndarray) -> bytes:
    """uint8 pixels [height, width, 1 or 3] as a JPEG without metadata, which changes them a little.

    Raises:
        InputError: Pillow is not installed.
    """
    buffer = io.BytesIO()
    _pillow().Image.fromarray(image[..., 0] if image.shape[-1] == 1 else image).save(buffer, "JPEG", quality=95)
    return buffer.getvalue()


def _to_mode(pillow: Any, image: Image, mode: str) -> Image:
    if image.mode.startswith("I"):  # 16-bit grey; older Pillows call it "I", 32 bits wide
        high_byte = np.clip(np.asarray(image).astype(np.int32), 0, 65535) >> 8
        image = pillow.Image.fromarray(high_byte.astype(np.uint8))
    elif "A" in image.getbands() or "transparency" in image.info:
        layer = image.convert("RGBA")
        image = pillow.Image.alpha_composite(pillow.Image.new("RGBA", layer.size, (0, 0, 0, 255)), layer).convert("RGB")
    return image.convert(mode)


def _pillow() -> Any:
    try:
        import PIL
        import PIL.Image
        import PIL.ImageOps
    except ModuleNotFoundError as error:
        raise InputError("Reading images needs Pillow: pip install pillow") from error
    return PIL
