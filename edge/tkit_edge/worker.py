"""The process that runs one model file in one configuration, so that its times and its memory are its own.

`Worker` is the parent's end. `python -m tkit_edge.worker` is the other end: a `child` with its limits.
"""

from __future__ import annotations

import math
import resource
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np

from tkit_edge import child, runtime, timer
from tkit_edge.tensors import Arrays, TensorSpec, packed, unpacked

LITERT = "tkit_edge.worker"
"""What the process of a LiteRT interpreter runs."""
MEMORY = 4 << 30
"""Bytes of address space that the process has for the file: several times the largest model that a device runs."""
THREAD_MEMORY = 80 << 20
"""The same for each thread: a stack, and what the C library reserves."""
MAX_VALUES = 1 << 24
"""Values that one example of all inputs or of all outputs may have."""
_SIDES = ("inputs", "outputs")
_TYPES = ("float32", "bool", "int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64")
_TIMES_PER_SECOND = 10_000_000  # runs in a second, at most: a call from Python takes 0.1 us by itself
_TIME_BYTES = 8  # of one time in an answer


class Worker:
    """A process for one file, thread count and kernel set; a context manager, whose exit ends the process.

    Args:
        path: the .tflite file, already checked for damage.
        threads: how many the kernels may use.
        kernels: a name of `runtime.KERNELS`.
        timeout: seconds that one answer may take.
        module: what the process runs; another one serves another runtime.
    """

    def __init__(self, path: Path, threads: int, kernels: str, timeout: float, module: str = LITERT) -> None:
        self.child = child.Child(module, [str(path), str(threads), kernels], str(path), timeout)

    def __enter__(self) -> Worker:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.child.__exit__(kind, error, trace)

    def ask(self, question: str, **arguments: Any) -> Any:
        """The answer to one of the questions of `Session`, its form checked; those with arrays are methods.

        Raises:
            InputError: the file can't be run, crashes the runtime, takes longer than the timeout, or took the process
                over.
        """
        value, _ = self.child.ask(question, **arguments)
        if not _FORMS[question](value):
            raise self.child.nonsense(question)
        return value

    def run(self, seconds: float, runs: int) -> np.ndarray:
        """Times of runs in ns, int64 [n], for so many seconds and at least so many runs; "load" was asked before.

        Raises:
            InputError: as `ask`.
        """
        limit = _TIME_BYTES * (int(seconds * _TIMES_PER_SECOND) + runs)
        value, data = self.child.ask("run", payload_limit=limit, seconds=seconds, runs=runs)
        if value is not None or len(data) < _TIME_BYTES * runs or len(data) % _TIME_BYTES:
            raise self.child.nonsense("run")
        times = np.frombuffer(data, "<i8")
        if len(times) and times.min() < 0:
            raise self.child.nonsense("run")
        return times

    def open(self, pixels: str) -> tuple[tuple[TensorSpec, ...], tuple[TensorSpec, ...]]:
        """Loads the file; what it takes and gives."""
        value = self.ask("open", pixels=pixels)
        inputs, outputs = (tuple(TensorSpec(n, tuple(s), d) for n, s, d in value[side]) for side in _SIDES)
        return inputs, outputs

    def predict(self, arrays: Arrays, outputs: Sequence[TensorSpec]) -> dict[str, np.ndarray]:
        """The outputs of n examples, by name, as `runtime.Model.run`; "open" was asked before."""
        described, payload = packed(arrays)
        count = len(next(iter(arrays.values())))
        sizes = [count * math.prod(spec.shape) * np.dtype(spec.dtype).itemsize for spec in outputs]
        value, data = self.child.ask("predict", payload, payload_limit=sum(sizes), arrays=described)
        if value is not None or len(data) != sum(sizes):
            raise self.child.nonsense("predict")
        little = [(spec.name, np.dtype(spec.dtype).newbyteorder("<"), (count, *spec.shape)) for spec in outputs]
        return unpacked(little, data)


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and math.isfinite(value)


def _are_counts(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(item, int) and 0 <= item < 1 << 63 for item in value)


def _are_times(value: Any) -> bool:
    """Whether it is two lists of as many times, at least one."""
    if not isinstance(value, list) or len(value) != 2 or not all(isinstance(part, list) for part in value):
        return False
    return len(value[0]) == len(value[1]) > 0 and all(_is_number(item) and item >= 0 for part in value for item in part)


def _is_load(value: Any) -> bool:
    keys = {"load_ms", "first_ms", "peak_memory", "model_memory"}
    if not isinstance(value, dict) or set(value) != {*keys, "kernels"} or value["kernels"] not in runtime.KERNELS:
        return False
    return all(_is_number(value[key]) for key in keys)


def _is_open(value: Any) -> bool:
    return isinstance(value, dict) and set(value) == set(_SIDES) and all(map(_are_specs, value.values()))


def _are_specs(value: Any) -> bool:
    if not isinstance(value, list) or not value or not all(isinstance(item, list) and len(item) == 3 for item in value):
        return False
    plain = all(isinstance(name, str) and _are_counts(shape) and dtype in _TYPES for name, shape, dtype in value)
    sizes = [math.prod(shape) for _, shape, _ in value] if plain else []
    return plain and min(sizes) > 0 and sum(sizes) <= MAX_VALUES


_FORMS: dict[str, Callable[[Any], bool]] = {
    "start": lambda value: value is None,
    "load": _is_load,
    "prefixes": _are_times,
    "memory": lambda value: value is None or _is_number(value),
    "open": _is_open,
}


class Session:
    """The process's own end: the interpreter, and an answer for each question.

    Args:
        path: the .tflite file.
        threads: how many the kernels may use.
        kernels: a name of `runtime.KERNELS`.
        interpreter: makes an interpreter; of LiteRT by default.
    """

    def __init__(self, path: str, threads: int, kernels: str, interpreter: runtime.Load = runtime.interpreter) -> None:
        self.path, self.threads, self.kernels = path, threads, kernels
        self._new = interpreter
        self._interpreter: Any = None
        self._model: runtime.Model | None = None
        self._prefixes: timer.PrefixTimer | None = None

    def answers(self) -> dict[str, Callable[..., Any]]:
        """What `child.serve` serves."""
        return {
            "start": self.start,
            "load": self.load,
            "run": self.run,
            "prefixes": self.prefixes,
            "memory": self.memory,
            "open": self.open,
            "predict": self.predict,
        }

    def start(self) -> None:
        """Answers once the process is up."""

    def load(self) -> dict[str, Any]:
        """Loads the file and runs it once; times in ms, memory in bytes, and the kernels that really run."""
        before = peak_memory()
        began = time.perf_counter_ns()
        self._interpreter = self._new(self.path, self.threads, self.kernels)
        loaded = time.perf_counter_ns()
        timer.fill_inputs(self._interpreter)
        (first,) = timer.run_times(self._interpreter, 0.0, 1)
        peak = peak_memory()
        return {
            **{"load_ms": (loaded - began) / 1e6, "first_ms": first / 1e6},
            **{"peak_memory": peak, "model_memory": peak - before},
            "kernels": runtime.ran(self._interpreter, self.kernels),
        }

    def run(self, seconds: float, runs: int) -> tuple[None, bytes]:
        """Times of single runs in ns, int64, for so many seconds and at least so many runs."""
        times = np.frombuffer(timer.run_times(self._interpreter, seconds, runs), np.int64)
        return None, times.astype("<i8").tobytes()

    def prefixes(self, before: int, end: int, turns: int, seconds: float) -> list[list[float]]:
        """As `timer.PrefixTimer.times`."""
        self._prefixes = self._prefixes or timer.PrefixTimer(self.path, self.threads, self.kernels)
        return self._prefixes.times(before, end, turns, seconds)

    def memory(self) -> int | None:
        """This process's resident memory now, in bytes; None where the system doesn't tell."""
        return status_bytes("VmRSS")

    def open(self, pixels: str) -> dict[str, list[TensorSpec]]:
        """Loads the file; what it takes and gives."""
        self._model = runtime.Model(self.path, self.threads, self.kernels, pixels, self._new)
        return {"inputs": list(self._model.inputs), "outputs": list(self._model.outputs)}

    def predict(self, arrays: list[Any], payload: bytes = b"") -> tuple[None, bytes]:
        """The outputs of examples, one tensor's values after the other's."""
        assert self._model is not None  # "open" comes first
        found = self._model.run(unpacked(arrays, payload))
        little = [found[spec.name].astype(np.dtype(spec.dtype).newbyteorder("<")) for spec in self._model.outputs]
        return None, b"".join(array.tobytes() for array in little)


def peak_memory() -> int:
    """The most memory that this process has had resident, in bytes."""
    found = status_bytes("VmHWM")  # not ru_maxrss, which on Linux begins with what the parent had when it forked
    if found is not None:
        return found
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)


def status_bytes(name: str) -> int | None:
    """A figure of /proc/self/status in bytes; None where there is none."""
    try:
        with open("/proc/self/status", encoding="ascii", errors="replace") as status:
            return next((int(line.split()[1]) * 1024 for line in status if line.startswith(f"{name}:")), None)
    except OSError:
        return None


def main(descriptor: int, path: str, threads: int, kernels: str) -> None:
    """Confines this process and answers questions about a file until the parent goes."""
    child.confine(MEMORY + threads * THREAD_MEMORY)

    def answers() -> dict[str, Callable[..., Any]]:
        runtime.find()  # imported before anything is measured
        return Session(path, threads, kernels).answers()

    child.serve(descriptor, path, answers)


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2], int(sys.argv[3]), sys.argv[4])
