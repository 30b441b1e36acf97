"""Times the runs of an interpreter on random inputs; what a process that measures does inside."""

from __future__ import annotations

import array
import time
from pathlib import Path
from typing import Any

import numpy as np

from tkit_edge import files, prefixes, runtime

_SEED = 0  # of the inputs that the timed runs see
_LEAST_RUNS = 2


def run_times(interpreter: Any, seconds: float, runs: int) -> array.array[int]:
    """Times of single runs in ns, for so many seconds and at least so many runs."""
    times = array.array("q")  # a list of them would take as much memory as a small model
    invoke, clock = interpreter.invoke, time.perf_counter_ns
    end = clock() + int(seconds * 1e9)
    while len(times) < runs or clock() < end:
        began = clock()
        invoke()
        times.append(clock() - began)
    return times


def fill_inputs(interpreter: Any) -> None:
    """Random values for every input, the same each time."""
    random = np.random.default_rng(_SEED)
    for item in interpreter.get_input_details():
        dtype, shape = np.dtype(item["dtype"]), item["shape"]
        if dtype.kind == "f":
            values = random.uniform(0, 255, shape)
        elif dtype.kind in "iu" and item["quantization"][0]:
            limits = np.iinfo(dtype)
            values = random.integers(limits.min, limits.max, shape, dtype, endpoint=True)
        else:  # numbers of words and the like: 0 is always one
            values = np.zeros(shape, dtype)
        interpreter.set_tensor(item["index"], values.astype(dtype))


class PrefixTimer:
    """Times a file cut off behind one of its operators against the file cut off behind an earlier one.

    Args:
        path: the .tflite file.
        threads: how many the kernels may use.
        kernels: a name of `runtime.KERNELS`.
    """

    def __init__(self, path: str, threads: int, kernels: str) -> None:
        self._path, self._threads, self._kernels = path, threads, kernels
        self._data = files.read_bytes(Path(path))
        self._opened: dict[int, Any] = {}

    def times(self, before: int, end: int, turns: int, seconds: float) -> list[list[float]]:
        """Median times in ns of both, in turns.

        Args:
            before: operators of the shorter one; 0 for none, which takes no time.
            end: operators of the longer one.
            turns: how many.
            seconds: of all.
        """
        self._opened = {count: self._opened.get(count) or self._open(count) for count in (before, end) if count}
        found: list[list[float]] = [[], []]
        for _ in range(turns):
            for count, own in zip((before, end), found):
                times = run_times(self._opened[count], seconds / turns / 2, _LEAST_RUNS) if count else [0]
                own.append(float(np.median(times)))
        return found

    def _open(self, count: int) -> Any:
        interpreter = runtime.interpreter(prefixes.prefix(self._data, count, self._path), self._threads, self._kernels)
        fill_inputs(interpreter)
        run_times(interpreter, 0.0, _LEAST_RUNS)
        return interpreter
