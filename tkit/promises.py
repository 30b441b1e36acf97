"""The promises of a compressed model: zeros, shared weights, codes, and the scales and ranges that produced them.

A step's result is in the weights themselves and is named in `Kept`, so that the next step preserves it and the exported
file can be checked against it.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from pydantic import Field, ValidationError

from tkit_edge.errors import InputError
from tkit_edge.files import write_atomically
from tkit_edge.inputs.image import Image
from tkit_edge.json_file import read_json
from tkit_pipelines.config import Config

if TYPE_CHECKING:
    import keras

KEPT_FILE = "compress.json"
MAX_KEPT_BYTES = 64 * 2**20


class Clusters(Config):
    """A layer's shared weights: each is one of the centroids times the scale of its output channel."""

    centroids: tuple[float, ...]
    """Distinct values from -1 to 1, ascending."""
    scales: tuple[float, ...]
    """One per channel."""
    fixed: bool = False
    """Whether all layers share these centroids, so that training doesn't change them."""


class Quantized(Config):
    """How a model is quantized to int8: a kernel's codes times its scales are its weights, exactly."""

    scales: dict[str, tuple[float, ...]]
    """By layer, one per output channel; a code is from -127 to 127, in 4 bits from -7 to 7."""
    ranges: dict[str, tuple[float, float]]
    """By the layer that outputs the activations, the values of the codes -128 and 127; 0 is one of the codes'."""
    float_layers: tuple[str, ...] = ()
    """Layers that compute in float."""
    in_float: tuple[str, ...] = ()
    """Layers that int8 has no rule for: they, or their activation functions, compute in float."""
    int4: tuple[str, ...] = ()
    """Layers whose weights have 4 bits."""
    input_range: tuple[float, float] | None = Image.range
    """Of the model's inputs, where it is known beforehand, as of pixels; else it is among `ranges`."""


class Kept(Config):
    """The promises of a compressed model, by layer name; `compress.json` in a variant's folder."""

    pruned: dict[str, float] = Field(default_factory=dict)
    """Minimum share of zeros in a kernel."""
    clustered: dict[str, Clusters] = Field(default_factory=dict)
    shapes: dict[str, tuple[int, ...]] = Field(default_factory=dict)
    """Shapes of a narrowed model's kernels, in Keras's layout."""
    quantized: Quantized | None = None

    @classmethod
    def read(cls, folder: Path) -> Kept:
        """The promises of the model in a variant's folder; none if it isn't compressed.

        Raises:
            InputError: the file is damaged.
        """
        path = folder / KEPT_FILE
        if not path.exists():
            return cls()
        try:
            return cls.model_validate(read_json(path, MAX_KEPT_BYTES))
        except ValidationError as error:
            raise InputError(f"{path} can't be read: {error}") from error

    def write(self, folder: Path) -> Path:
        """Writes the file that `read` reads; returns its path."""
        path = folder / KEPT_FILE
        write_atomically(path, (self.model_dump_json(indent=1) + "\n").encode())
        return path


class State(NamedTuple):
    """A compressed model: a stock float32 functional model, and its promises."""

    model: keras.Model
    kept: Kept
