"""TFLite Micro, the runtime of microcontrollers, on this machine: PyPI's `tflite-micro`, with its reference kernels.

Its results are those of a microcontroller that uses the same kernels; its speed is nothing like it.

Source: github.com/tensorflow/tflite-micro.
"""

from __future__ import annotations

import importlib.metadata
import importlib.util
from dataclasses import dataclass
from pathlib import Path

from tkit_edge.errors import InputError
from tkit_edge.isolated import DEFAULT_TIMEOUT, IsolatedModel

KERNELS = "reference"
"""Of those that LiteRT has, the ones that TFLite Micro has."""
_PARTS = {"total", "head", "tail"}


def version() -> str:
    """Of the installed package.

    Raises:
        InputError: it isn't installed.
    """
    if importlib.util.find_spec("tflite_micro") is None:
        raise InputError(
            "TFLite Micro is not installed: pip install 'keras-tkit[tflm]'. Its package is for Linux on x86-64."
        )
    return importlib.metadata.version("tflite-micro")


@dataclass(frozen=True)
class Arena:
    """The memory that a file needs beside its own bytes; on a 64-bit machine."""

    total: int
    """Bytes of the smallest arena in which it loads and runs."""
    activations: int
    """Bytes of it that hold what operators pass on."""

    @property
    def structures(self) -> int:
        """Bytes of it that hold the runtime's own structures, whose pointers are half as long on a microcontroller."""
        return self.total - self.activations


class TflmModel(IsolatedModel):
    """A .tflite file in TFLite Micro, in a limited process; a context manager, whose exit ends the process.

    Args:
        path: the file; every input and output begins with a batch of 1.
        timeout: seconds that loading, or 128 examples, may take.

    Raises:
        InputError: TFLite Micro is not installed, lacks operators of the file (they are named), or refuses it; or the
            file crashes the process.

    Example:
        >>> with TflmModel(Path("model-int8.tflite")) as model:
        ...     kib = model.arena().total / 1024
    """

    def __init__(self, path: Path, timeout: float = DEFAULT_TIMEOUT) -> None:
        version()
        super().__init__(path, kernels=KERNELS, timeout=timeout, module="tkit.micro.tflm_worker")

    def arena(self) -> Arena:
        """The arena that the file needs."""
        child = self._worker.child
        value, _ = child.ask("arena")
        if not isinstance(value, dict) or set(value) != _PARTS or not all(type(n) is int for n in value.values()):
            raise child.nonsense("arena")
        return Arena(value["total"], value["head"])
