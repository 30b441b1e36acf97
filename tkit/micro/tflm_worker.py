"""The process in which TFLite Micro runs one file: `tkit_edge.worker` with another runtime.

`python -m tkit.micro.tflm_worker` is started by `tkit.micro.tflm`. TFLite Micro writes to standard error why it
refuses a file; that is a file here (`tkit_edge.child`), and is read back.

Source: tflite-micro's python/tflite_micro/runtime.py.
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import flatbuffers
import numpy as np
from tflite_micro.python.tflite_micro import runtime as tflm

from tkit_edge import child, files, flatbuffer
from tkit_edge.errors import InputError
from tkit_edge.graph import Graph
from tkit_edge.worker import MEMORY, Session

ARENA_BYTES = 64 << 20
"""Of the arena, where its size isn't the question: more than any microcontroller has."""
_STEP = 16  # bytes: an arena of a multiple of them is used to its last byte
_MAX_WORDS = 1 << 16  # bytes of standard error that are read back
_LACKS = re.compile(r"Didn't find op for builtin opcode '(\w+)'")
_NODE = re.compile(r"Node (\w+) \(number \d+\) failed")
_SOURCE_FILE = re.compile(r"tensorflow/lite/\S+ ")
_ALLOCATED = re.compile(r"Arena allocation (total|head|tail) (\d+) bytes")


class Interpreter:
    """A file in TFLite Micro, with the methods of LiteRT's interpreter.

    Raises:
        RuntimeError: TFLite Micro refuses the file, in its own words.
    """

    def __init__(self, path: str, arena_bytes: int) -> None:
        data = files.read_bytes(Path(path))
        self._graph = flatbuffer.read(data, path)
        self._interpreter = _with_words(lambda: tflm.Interpreter.from_bytes(data, arena_size=arena_bytes))

    def get_input_details(self) -> list[Mapping[str, Any]]:
        """Of each input, what `tkit_edge.runtime.Interpreter` has."""
        return _details(self._graph, self._graph.inputs)

    def get_output_details(self) -> list[Mapping[str, Any]]:
        """The same of each output."""
        return _details(self._graph, self._graph.outputs)

    def set_tensor(self, index: int, value: np.ndarray) -> None:
        """Copies a value into an input."""
        self._interpreter.set_input(np.ascontiguousarray(value), self._graph.inputs.index(index))

    def invoke(self) -> None:
        """Runs the file; RuntimeError where it fails."""
        _with_words(self._interpreter.invoke)

    def get_tensor(self, index: int) -> np.ndarray:
        """A copy of an output's value."""
        return np.array(self._interpreter.get_output(self._graph.outputs.index(index)))

    def allocated(self) -> dict[str, int]:
        """Bytes of the arena that are used: `total`, and of it `head` (activations) and `tail` (what stays)."""
        began = os.lseek(2, 0, os.SEEK_END)
        self._interpreter.print_allocations()
        return {part: int(size) for part, size in _ALLOCATED.findall(_words(began))}


def load(path: Any, threads: int, kernels: str) -> Interpreter:
    """An interpreter with room enough, as `tkit_edge.runtime.Load`; there is one thread, and one set of kernels.

    Raises:
        InputError: TFLite Micro lacks operators of the file, which are named, or refuses it.
    """
    try:
        return Interpreter(path, ARENA_BYTES)
    except RuntimeError as error:
        lacking = _lacking(files.read_bytes(Path(path))) if _LACKS.search(str(error)) else []
        if "DENSIFY" in lacking:
            raise InputError(
                f"{path} is stored without its zeros, which TFLite Micro can't unpack: export with export.sparse=false."
            ) from error
        if lacking:
            raise InputError(f"TFLite Micro lacks operators of {path}: {', '.join(lacking)}.") from error
        raise InputError(f"TFLite Micro can't run {path}: {error}") from error


def arena(path: str) -> dict[str, int]:
    """The smallest arena in which a file loads and runs in such a process, as `Interpreter.allocated`."""
    used = _allocated(path, ARENA_BYTES)
    too_small, size, step = used["total"] - _STEP, used["total"], _STEP
    while not _suffices(path, size):  # loading takes more, for a while, than what stays in use
        too_small, size, step = size, size + step, 2 * step
    while size - too_small > _STEP:
        middle = (too_small + size) // 2 // _STEP * _STEP
        too_small, size = (too_small, middle) if _suffices(path, middle) else (middle, size)
    return {**used, "total": size}


def _suffices(path: str, arena_bytes: int) -> bool:
    """Tries it in a copy of this process: TFLite Micro may crash where it runs out of memory."""
    process = os.fork()
    if process:
        return os.waitpid(process, 0)[1] == 0
    status = 1
    try:
        _allocated(path, arena_bytes)
        status = 0
    finally:
        os._exit(status)


def _allocated(path: str, arena_bytes: int) -> dict[str, int]:
    interpreter = Interpreter(path, arena_bytes)
    for item in interpreter.get_input_details():
        interpreter.set_tensor(item["index"], np.zeros(item["shape"], item["dtype"]))
    interpreter.invoke()
    return interpreter.allocated()


def _lacking(data: bytes) -> list[str]:
    """The operators that TFLite Micro lacks: it names the first, so they are taken out until it names none."""
    model = tflm.convert_bytearray_to_object(bytearray(data))
    numbers = vars(tflm.schema_fb.BuiltinOperator)
    found: list[str] = []
    while True:
        builder = flatbuffers.Builder(len(data))
        builder.Finish(model.Pack(builder), b"TFL3")
        try:
            _with_words(lambda: tflm.Interpreter.from_bytes(bytes(builder.Output()), arena_size=ARENA_BYTES))  # noqa: B023
            return found
        except RuntimeError as error:
            name = next(iter(_LACKS.findall(str(error))), None)
        if name is None or name in found:
            return found
        found.append(name)
        codes = [tflm.get_builtin_code_from_operator_code(code) for code in model.operatorCodes]
        for graph in model.subgraphs:
            graph.operators = [item for item in graph.operators or () if codes[item.opcodeIndex] != numbers[name]]


def _details(graph: Graph, numbers: Sequence[int]) -> list[Mapping[str, Any]]:
    found: list[Mapping[str, Any]] = []
    for number in numbers:
        tensor = graph.tensors[number]
        scale, zero_point = (float(tensor.scales[0]), int(tensor.zero_points[0])) if len(tensor.scales) else (0.0, 0)
        found.append(
            {
                "index": number,
                "name": tensor.name,
                "shape": tensor.shape,
                "dtype": np.dtype(tensor.dtype),
                "quantization": (scale, zero_point),
            }
        )
    return found


def _with_words(call: Callable[[], Any]) -> Any:
    """A call's result; RuntimeError with what it wrote to standard error, where TFLite Micro fails in any way."""
    began = os.lseek(2, 0, os.SEEK_END)
    try:
        return call()
    except Exception as error:  # its reader of flatbuffers raises anything for a damaged one
        words = _words(began).split("\n")
        failed = [name for line in words for name in _NODE.findall(line)]
        reason = "; ".join(line for line in words if not _NODE.match(line)) or f"{type(error).__name__}: {error}"
        raise RuntimeError(": ".join([*failed, reason])) from error


def _words(began: int) -> str:
    text = _SOURCE_FILE.sub("", os.pread(2, _MAX_WORDS, began).decode(errors="replace"))
    return "\n".join(line.strip() for line in text.splitlines() if line.strip())


def main(descriptor: int, path: str, threads: int, kernels: str) -> None:
    """Confines this process and answers questions about a file until the parent goes."""
    child.confine(MEMORY)
    session = Session(path, threads, kernels, load)
    child.serve(descriptor, path, lambda: {**session.answers(), "arena": lambda: arena(path)})


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2], int(sys.argv[3]), sys.argv[4])
