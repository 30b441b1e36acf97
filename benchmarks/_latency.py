"""Sides that time one call of a file's runtime after another: one example, one thread, tensors bound once."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
from _sides import Turns

CALLS = 2_000
"""A round's."""


def litert(turns: Turns, path: Path, example: np.ndarray) -> None:
    """LiteRT's interpreter, XNNPACK; `example` with its batch of 1, in the type of the float32 file."""
    from tkit_edge import runtime

    made: Any = runtime.load(path, threads=1)
    details = made.get_input_details()[0]
    made.set_tensor(details["index"], example.astype(details["dtype"]))
    _timed(turns, made.invoke)


def onnx(turns: Turns, path: Path, example: np.ndarray) -> None:
    """ONNX Runtime's CPU provider; inputs and outputs bound once, as LiteRT's are."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_ALL
    session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    binding = session.io_binding()
    binding.bind_cpu_input(session.get_inputs()[0].name, example)
    binding.bind_output(session.get_outputs()[0].name)
    _timed(turns, lambda: session.run_with_iobinding(binding))


def _timed(turns: Turns, call: Callable[[], object]) -> None:
    def once() -> dict[str, float]:
        times = []
        for _ in range(CALLS):
            began = time.perf_counter_ns()
            call()
            times.append(time.perf_counter_ns() - began)
        return {"microseconds": median(times) / 1000}

    turns.measure(once)
