"""A .tflite file in a process of its own, with limits: for files that this process didn't make itself."""

from __future__ import annotations

import math
from pathlib import Path
from types import TracebackType
from typing import TypeVar

import numpy as np

from tkit_edge import files, flatbuffer
from tkit_edge.tensors import Arrays
from tkit_edge.worker import LITERT, Worker

DEFAULT_TIMEOUT = 300.0
Own = TypeVar("Own", bound="IsolatedModel")
_EXAMPLES = 128  # of one question, at most; its time counts against the timeout
_BYTES = 16 << 20  # of one question and of one answer, as far as single examples allow


class OpenedFile:
    """A file that a worker has opened; it runs as `runtime.Model` does.

    Args:
        worker: the process.
        name: what messages call the file.
        pixels: what uint8 images become, of `pixels.PIXELS`.

    Raises:
        InputError: as `runtime.Model`.
    """

    def __init__(self, worker: Worker, name: str, pixels: str = "0-255") -> None:
        self.name, self._worker = name, worker
        self.inputs, self.outputs = worker.open(pixels)

    def run(self, arrays: Arrays) -> dict[str, np.ndarray]:
        """The outputs of n examples by name, as `runtime.Model.run`."""
        count = max((len(array) for array in arrays.values()), default=0)
        values = max(math.prod(spec.shape) for spec in (*self.inputs, *self.outputs))
        step = min(_EXAMPLES, max(1, _BYTES // (4 * values)))
        found = [
            self._worker.predict({name: array[start : start + step] for name, array in arrays.items()}, self.outputs)
            for start in range(0, max(count, 1), step)
        ]
        return {spec.name: np.concatenate([part[spec.name] for part in found]) for spec in self.outputs}

    def predict(self, array: np.ndarray) -> np.ndarray:
        """`run` for a file with one input and one output, as `runtime.Model.predict`."""
        return self.run({self.inputs[0].name: array})[self.outputs[0].name]


class IsolatedModel(OpenedFile):
    """`runtime.Model` in a limited process; a context manager, whose exit ends the process.

    Args:
        path: the .tflite file; every input and output begins with a batch of 1.
        threads: how many the kernels may use.
        kernels: "xnnpack", "builtin" or "reference".
        pixels: what uint8 images become, of `pixels.PIXELS`.
        timeout: seconds that loading, or 128 examples, may take.
        module: what the process runs, as `Worker` has it.

    Raises:
        InputError: as `runtime.Model`, or the file crashes the process, takes too long or too much memory.

    Example:
        >>> with IsolatedModel(Path("model-int8.tflite")) as model:
        ...     classes = model.predict(images).argmax(axis=1)
    """

    def __init__(
        self,
        path: Path,
        threads: int = 1,
        kernels: str = "xnnpack",
        pixels: str = "0-255",
        timeout: float = DEFAULT_TIMEOUT,
        module: str = LITERT,
    ) -> None:
        flatbuffer.read(files.read_bytes(path), str(path))
        worker = Worker(path, threads, kernels, timeout, module)
        try:
            super().__init__(worker, str(path), pixels)
        except BaseException:
            worker.__exit__(None, None, None)
            raise

    def __enter__(self: Own) -> Own:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._worker.__exit__(kind, error, trace)
