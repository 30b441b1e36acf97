"""Compression steps, one file each (the file's name is the `kind`): a trained model in, a smaller one out.

What a step has made lies in the weights themselves (zeros, shared values) and is named in `Kept`, so that the next
step preserves it and the exported file can be checked against it.
"""

from __future__ import annotations

from abc import abstractmethod
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple

from pydantic import BeforeValidator, Field, ValidationError

from tkit_edge.errors import InputError
from tkit_edge.files import write_atomically
from tkit_edge.json_file import read_json
from tkit_pipelines.config import Component, Config

if TYPE_CHECKING:
    import keras

    from tkit.compress._work import Work

KEPT_FILE = "compress.json"
MAX_KEPT_BYTES = 64 * 2**20


def _split(value: Any) -> Any:
    return tuple(value.split("+")) if isinstance(value, str) else value


Names = Annotated[tuple[str, ...], BeforeValidator(_split)]
"""Names of layers; as text `one+another`."""


class Clusters(Config):
    """A layer's shared weights: each is one of the centroids times the scale of its output channel."""

    centroids: tuple[float, ...]
    """Distinct values from -1 to 1, rising."""
    scales: tuple[float, ...]
    """One a channel."""
    fixed: bool = False
    """Whether all layers have these centroids, so that training leaves them as they are."""


class Quantized(Config):
    """How a model is quantized to int8: a kernel's codes times its scales are its weights, exactly."""

    scales: dict[str, tuple[float, ...]]
    """By layer, one an output channel; a code is from -127 to 127, in 4 bits from -7 to 7."""
    ranges: dict[str, tuple[float, float]]
    """By the layer that gives the activations, the values of the codes -128 and 127; 0 is one of the codes'."""
    float_layers: tuple[str, ...] = ()
    """Layers that stay in float."""
    in_float: tuple[str, ...] = ()
    """Layers that int8 has no rule for: they, or their activation functions, compute in float."""
    int4: tuple[str, ...] = ()
    """Layers whose weights have 4 bits."""


class Kept(Config):
    """What holds of a compressed model, by layer name; `compress.json` in a variant's folder."""

    pruned: dict[str, float] = Field(default_factory=dict)
    """Share of zeros that a kernel has at least."""
    clustered: dict[str, Clusters] = Field(default_factory=dict)
    shapes: dict[str, tuple[int, ...]] = Field(default_factory=dict)
    """Of the kernels of a model that was narrowed, as Keras has them."""
    quantized: Quantized | None = None

    @classmethod
    def read(cls, folder: Path) -> Kept:
        """What holds of the model in a variant's folder; nothing of one that no compression made.

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
        """Writes what `read` reads; returns the file."""
        path = folder / KEPT_FILE
        write_atomically(path, (self.model_dump_json(indent=1) + "\n").encode())
        return path


class State(NamedTuple):
    """What a step takes and gives: a stock float32 functional model, and what holds of it."""

    model: keras.Model
    kept: Kept


class Step(Component):
    """One compression step."""

    @property
    @abstractmethod
    def label(self) -> str:
        """The step's part of the variant's name, such as `prune-0.5`."""

    def check(self, model: keras.Model, work: Work) -> None:
        """Whether the step can be done at all, before anything is trained.

        Args:
            model: what the first step takes; an earlier step may have changed it by the time this one is done.
            work: training pictures and the engine.

        Raises:
            InputError: the model or the settings don't allow it, with the layer or the field named.
        """

    @abstractmethod
    def apply(self, state: State, work: Work) -> State:
        """The compressed model; what held before holds after.

        Args:
            state: float32 pixels [batch, height, width, channels] to [batch, classes]; it isn't changed.
            work: training pictures and the engine.

        Raises:
            InputError: the model or the settings don't allow it, with the layer or the field named.
        """
