"""8x8 grey scans of handwritten digits (1,797, scikit-learn's own copy): real data that needs no download.

Source: E. Alpaydin and C. Kaynak, Optical Recognition of Handwritten Digits, UCI (1998), its test part.
"""

from __future__ import annotations

import io

import numpy as np

from tkit_edge import images
from tkit_edge.errors import InputError
from tkit_pipelines.dataset import labelled
from tkit_pipelines.source import Loaded, NamedSource, Shape


class Digits(NamedSource):
    """scikit-learn's digits, ink bright on black; it has no test images of its own."""

    usage = "digits"

    @classmethod
    def from_argument(cls, argument: str) -> Digits:
        """The source; it takes no argument."""
        if argument:
            raise InputError(f"data 'digits:{argument}': digits takes nothing after its name. Write 'digits'.")
        return cls()

    def load(self, shape: Shape, skip_bad: bool = False) -> Loaded:
        """The scans, their 0-16 levels scaled to 0-255, resized by the rule for all images."""
        from PIL import Image
        from sklearn.datasets import load_digits

        raw = load_digits()
        scans = np.round(raw.images * (255 / 16)).astype(np.uint8)
        decoded = np.empty((len(scans), *shape.array), np.uint8)
        for row, scan in zip(decoded, scans, strict=True):
            encoded = io.BytesIO()
            Image.fromarray(scan).save(encoded, "PNG", compress_level=0)
            row[...] = images.decode(encoded.getvalue(), *shape)
        names = tuple(str(name) for name in raw.target_names)
        return Loaded(labelled(decoded, raw.target.astype(np.int32)), None, names)
