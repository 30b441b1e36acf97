"""A .tflite classifier in a process of its own, with limits: for files that this process didn't make itself."""

from __future__ import annotations

from pathlib import Path
from types import TracebackType

import numpy as np

from tkit_edge import files, flatbuffer
from tkit_edge.runtime import check_images
from tkit_edge.worker import Worker

DEFAULT_TIMEOUT = 300.0
_IMAGES = 128  # of one question, at most; its time counts against the timeout
_BYTES = 16 << 20  # of one question and of one answer, as far as single images allow


class IsolatedModel:
    """`runtime.Model` in a limited process; a context manager, whose exit ends the process.

    Args:
        path: the .tflite file; one input [1, height, width, channels] and one output [1, classes].
        threads: how many the kernels may use.
        kernels: "xnnpack", "builtin" or "reference".
        pixels: what the file takes, of `runtime.PIXELS`.
        timeout: seconds that loading, or 128 images, may take.

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
    ) -> None:
        self.path = path
        flatbuffer.read(files.read_bytes(path), str(path))
        self._worker = Worker(path, threads, kernels, timeout)
        try:
            height, width, channels, self.outputs = self._worker.ask("open", pixels=pixels)
        except BaseException:
            self._worker.__exit__(None, None, None)
            raise
        self.input_shape = (height, width, channels)

    def __enter__(self) -> IsolatedModel:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._worker.__exit__(kind, error, trace)

    def predict(self, images: np.ndarray) -> np.ndarray:
        """Logits float32 [n, classes] of uint8 images [n, height, width, channels], as `runtime.Model.predict`."""
        check_images(images, self.input_shape, str(self.path))
        largest = max(int(np.prod(self.input_shape)), 4 * self.outputs)
        step = min(_IMAGES, max(1, _BYTES // largest))
        parts = [images[start : start + step] for start in range(0, len(images), step)]
        found = [self._worker.predict(part, self.outputs) for part in parts]
        return np.concatenate(found) if found else np.empty((0, self.outputs), np.float32)
