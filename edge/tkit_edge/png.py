"""Writing PNG files without Pillow, which not every device has.

Source: PNG specification, third edition (W3C 2025): 8 bits a sample, no filter, one IDAT chunk.
"""

from __future__ import annotations

import struct
import zlib

import numpy as np

_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_GREY, _COLOUR = 0, 2
_NO_FILTER = 0


def png(image: np.ndarray) -> bytes:
    """uint8 pixels [height, width, 1 or 3] as a PNG file, from which any decoder gives them back."""
    height, width, channels = image.shape
    header = struct.pack(">IIBBBBB", width, height, 8, _GREY if channels == 1 else _COLOUR, 0, 0, 0)
    rows = np.full((height, 1 + width * channels), _NO_FILTER, np.uint8)
    rows[:, 1:] = image.reshape(height, -1)
    return _SIGNATURE + _chunk(b"IHDR", header) + _chunk(b"IDAT", zlib.compress(rows.tobytes())) + _chunk(b"IEND", b"")


def _chunk(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))
