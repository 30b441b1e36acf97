"""The process that converts models and runs their files first: a crash of native code doesn't end the user's process.

It is started once and serves every export of this process; after a crash the next question starts a new one.
"""

from __future__ import annotations

import atexit
from typing import Any

import numpy as np

from tkit_edge.child import Child, CrashError
from tkit_edge.errors import TkitError
from tkit_edge.inputs import Input
from tkit_edge.outputs import Output
from tkit_edge.tensors import Arrays, packed, unpacked

TIMEOUT = 86_400.0
"""Seconds that one answer may take: a large network's calibration takes long, and Ctrl-C ends it."""
MAX_FILE_BYTES = 1 << 31
"""Bytes of a .tflite file: its offsets have 32 bits."""

_BYTES = 64 << 20
"""Bytes of the examples in one question, unless a single one is larger."""

_running: Child | None = None


def start() -> Child:
    """Starts the process. Called before the caller's own work, it loads TensorFlow in the meantime."""
    global _running
    if _running is None:
        _running = Child("tkit.conversion.child", [], "The model", TIMEOUT)
    return _running


@atexit.register
def stop() -> None:
    """Ends the process, if it is running."""
    global _running
    if _running is not None:
        _running.__exit__(None, None, None)
        _running = None


def ask(question: str, payload: bytes | memoryview = b"", **arguments: Any) -> tuple[Any, bytes]:
    """The answer to one of the questions that `child` serves, and its bytes.

    Raises:
        CrashError: the question crashed the process.
        InputError: the process's error about the file.
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


def outputs(data: bytes, arrays: Arrays, input: Input, output: Output) -> dict[str, np.ndarray]:
    """The outputs of a .tflite file by name, run there by LiteRT.

    Args:
        data: the file.
        arrays: n examples.
        input: what the file takes.
        output: what it gives.

    Raises:
        CrashError: the file crashes the runtime.
        InputError: the runtime refuses it, or its tensors are others.
    """
    load(data)
    count = len(next(iter(arrays.values())))
    step = max(1, _BYTES // max(1, sum(array[0].nbytes for array in arrays.values())))
    found = []
    for start in range(0, count, step):
        described, payload = packed({name: array[start : start + step] for name, array in arrays.items()})
        answer, values = ask("predict", payload, arrays=described, inputs=input.tensors, outputs=output.tensors)
        found.append(unpacked(answer, values))
    return {spec.name: np.concatenate([part[spec.name] for part in found]) for spec in output.tensors}
