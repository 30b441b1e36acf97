"""Handovers, one file per kind: what an exported model becomes for those who build it into something else.

`tkit export RUN --format KIND` writes one into the folder `<variant>/<kind>/`: C code, an ONNX file, the files and the
instructions of an app.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from tkit.conversion.config import Export
from tkit_edge.bundle import Bundle
from tkit_edge.errors import InputError
from tkit_pipelines.config import Component, component_class, did_you_mean, kinds, parse_component

if TYPE_CHECKING:
    import keras

    from tkit.conversion.reference import Reference


@dataclass(frozen=True)
class Source:
    """What a handover is made of."""

    name: str
    """What the model is called, such as "digits_cnn"."""
    bundle: Bundle | None
    """The exported variant, its digests checked; None for a .tflite file."""
    file: Path | None
    """The .tflite file, where there is no bundle."""
    settings: Export
    """How the run exports: the parity gate's bounds, for one."""
    model: Callable[[], keras.Model] | None
    """Loads the variant's Keras model; None where only files are there."""
    reference: Callable[[], Reference] | None
    """The Keras model's outputs for validation examples, which the parity gate compares with."""


class Handover(Component):
    """What is written, and from what."""

    @abstractmethod
    def write(self, source: Source, folder: Path) -> dict[str, Any]:
        """Writes the files into an empty folder.

        Returns:
            Its figures, as JSON values: a `line` in words for people, sizes in bytes, and what the kind has beside.

        Raises:
            InputError: the model can't be had so; every operator or layer that is in the way is named.
            BoundError: it can, but misses a bound of the gate.
        """

    @classmethod
    def shown_kind(cls) -> str:
        """The kind as `--format` takes it."""
        return cls.model_fields["kind"].default.replace("_", "-")


def handover_of(text: str) -> Handover:
    """The handover of a text such as "c" or "kind:key=value".

    Raises:
        InputError: no such kind, or a setting that isn't one.
    """
    values = _values(text)
    kind = str(values["kind"]).replace("-", "_")
    if kind not in kinds(__name__):
        raise InputError(f"Unknown format {text!r}.{did_you_mean(text, shown_kinds())}")
    found = component_class(__name__, kind)
    assert issubclass(found, Handover)
    try:
        return found.model_validate({**values, "kind": kind})
    except ValidationError as error:
        problem = error.errors()[0]
        where = ".".join(map(str, problem["loc"])) or text
        raise InputError(f"The format {text!r}: {where}: {problem['msg']}.") from error


def shown_kinds() -> list[str]:
    """The kinds as `--format` takes them."""
    return [kind.replace("_", "-") for kind in kinds(__name__)]


def _values(text: str) -> dict[str, Any]:
    try:
        return parse_component(text)
    except ValueError as error:
        raise InputError(str(error)) from error
