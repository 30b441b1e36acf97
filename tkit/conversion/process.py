"""The process that converts models and is the first to run their files: a crash of native code is not the user's.

It is started once and serves every export of this process; after a crash the next question starts another.
"""

from __future__ import annotations

import atexit
from typing import Any

import numpy as np

from tkit_edge.child import Child, CrashError
from tkit_edge.errors import TkitError

TIMEOUT = 86_400.0
"""Seconds that one answer may take: a large network's calibration takes long, and Ctrl-C ends it."""
MAX_FILE_BYTES = 1 << 31
"""Of a .tflite file: its offsets have 32 bits."""

_IMAGE_BYTES = 64 << 20
"""Of one question's images, as far as single images allow."""

_running: Child | None = None


def start() -> Child:
    """The process. Started before the caller's own work, it loads TensorFlow meanwhile."""
    global _running
    if _running is None:
        _running = Child("tkit.conversion.child", [], "The model", TIMEOUT)
    return _running


@atexit.register
def stop() -> None:
    """Ends the process, if it runs."""
    global _running
    if _running is not None:
        _running.__exit__(None, None, None)
        _running = None


def ask(question: str, payload: bytes | memoryview = b"", **arguments: Any) -> tuple[Any, bytes]:
    """The answer to one of the questions that `_child` serves, and its bytes.

    Raises:
        CrashError: the question crashed the process.
        InputError: what the process says of the file.
    """
    try:
        return start().ask(question, payload, payload_limit=MAX_FILE_BYTES, **arguments)
    except CrashError:
        stop()
        raise
    except TkitError:
        raise
    except BaseException:  # such as Ctrl-C: the answer may still come, to another question
        stop()
        raise


def load(data: bytes) -> None:
    """Loads a .tflite file there as the device does; raises like `outputs`."""
    ask("open", data)


def outputs(data: bytes, images: np.ndarray) -> np.ndarray:
    """What a .tflite file gives, run there by LiteRT.

    Args:
        data: the file.
        images: uint8 [n, height, width, channels].

    Returns:
        float32 [n, classes].

    Raises:
        CrashError: the file crashes the runtime.
        InputError: the runtime refuses it.
    """
    load(data)
    step = max(1, _IMAGE_BYTES // images[0].nbytes)
    found = []
    for start in range(0, len(images), step):
        part = np.ascontiguousarray(images[start : start + step])
        shape, values = ask("predict", part.data.cast("B"), shape=part.shape)
        found.append(np.frombuffer(values, np.float32).reshape(shape))
    return np.concatenate(found)
