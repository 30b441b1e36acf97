"""An image, brought to one size by the rule that training used (`tkit_edge.images`)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from tkit_edge import files, keras_resize
from tkit_edge.errors import InputError
from tkit_edge.fields import Fields
from tkit_edge.images import DECODER_TOLERANCE, LOSSY, SUFFIXES, decode, encode_png, from_array, suffix
from tkit_edge.inputs import Input, files_in
from tkit_edge.tensors import Arrays, TensorSpec

PIXELS = "raw 0-255"
RESIZES = {
    "crop": "cover-crop, bilinear",
    "stretch": "stretch, bilinear",
    **{name: f"{name}, bilinear without antialiasing" for name in keras_resize.RESIZES},
}
"""How a bundle describes each rule."""


@dataclass(frozen=True)
class Image(Input):
    """Raw 0-255 pixels, uint8 [height, width, channels]."""

    kind = "image"
    example = "image"
    range = (0.0, 255.0)
    height: int
    width: int
    channels: int
    resize: str = "crop"
    """One of `tkit_edge.images.RESIZES`."""

    @classmethod
    def of(cls, inputs: Sequence[TensorSpec], name: str, resize: str) -> Image:
        """What a file without a bundle takes.

        Raises:
            InputError: it doesn't take one image.
        """
        if len(inputs) != 1 or len(inputs[0].shape) != 3:
            shapes = [(1, *spec.shape) for spec in inputs]
            raise InputError(
                f"{name} doesn't take an image: expected one input [1, height, width, channels], received {shapes}."
            )
        height, width, channels = inputs[0].shape
        return cls(height, width, channels, resize)

    @property
    def shape(self) -> tuple[int, int, int]:
        """Height, width and channels."""
        return self.height, self.width, self.channels

    @property
    def tensors(self) -> tuple[TensorSpec, ...]:
        """One: the pixels."""
        return (TensorSpec("image", self.shape, "uint8"),)

    def items(self, arguments: Sequence[str]) -> Iterator[Path]:
        """Image files, and those in folders.

        Raises:
            InputError: what is neither a file nor named like an image.
        """
        for argument in arguments:
            if Path(argument).suffix.lower() not in SUFFIXES and not Path(argument).exists():
                raise InputError(f"{argument!r} is no file; this model takes images: files, or folders of them.")
        return files_in(arguments, SUFFIXES)

    def read(self, item: str | Path | bytes | np.ndarray) -> Arrays:
        """The pixels of an image file, of its bytes, or of a decoded image as `images.from_array` takes it."""
        if isinstance(item, np.ndarray):
            return {"image": from_array(item, *self.shape, self.resize)}
        data = item if isinstance(item, bytes) else files.read_bytes(Path(item))
        name = "The image" if isinstance(item, bytes) else str(item)
        return {"image": decode(data, *self.shape, self.resize, name=name)}

    def encoded(self, example: Arrays) -> bytes:
        """A PNG."""
        return encode_png(example["image"])

    def suffix(self, data: bytes) -> str:
        """By the first bytes."""
        return suffix(data)

    def difference(self, expected: Arrays, read: Arrays, suffix: str) -> tuple[int, bool]:
        """The largest of any channel of any pixel; a JPEG or WebP may differ by another decoder's rounding."""
        found = int(np.abs(read["image"].astype(np.int16) - expected["image"]).max())
        return found, found > (DECODER_TOLERANCE if suffix in LOSSY else 0)

    def apart(self, difference: float) -> str:
        """With what explains a small one."""
        return f"{difference} of 255 (another JPEG decoder's rounding explains up to {DECODER_TOLERANCE})"

    def as_json(self) -> dict[str, Any]:
        """Size, pixels and rule."""
        size = {"height": self.height, "width": self.width, "channels": self.channels}
        return {**size, "pixels": PIXELS, "resize": RESIZES[self.resize]}

    @classmethod
    def from_json(cls, fields: Fields, folder: Path) -> Image:
        """As `as_json` wrote it."""
        pixels, rule = fields.get("pixels", str), fields.get("resize", str)
        if pixels != PIXELS:
            raise InputError(f"{fields.file}: pixels is {pixels!r}, this tkit-edge knows {PIXELS!r} only.")
        resize = next((name for name, text in RESIZES.items() if text == rule), None)
        if resize is None:
            known = ", ".join(map(repr, RESIZES.values()))
            raise InputError(f"{fields.file}: resize is {rule!r}, this tkit-edge knows {known}. Update tkit-edge.")
        return cls(fields.count("height"), fields.count("width"), fields.count("channels"), resize)
