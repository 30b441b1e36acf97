"""Times one call of a file's runtime after another: one example, one thread, tensors bound once."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np

CALLS = 2_000
"""A round's."""
ROUNDS, SECONDS = 9, 0.2


def litert(path: Path, example: np.ndarray) -> Callable[[], object]:
    """A call of LiteRT's interpreter, XNNPACK; `example` with its batch of 1."""
    from tkit_edge import runtime

    made: Any = runtime.load(path, threads=1)
    details = made.get_input_details()[0]
    made.set_tensor(details["index"], example.astype(details["dtype"]))
    return made.invoke


def onnx(path: Path, example: np.ndarray) -> Callable[[], object]:
    """A call of ONNX Runtime's CPU provider; inputs and outputs bound once, as LiteRT's are."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_ALL
    session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    binding = session.io_binding()
    binding.bind_cpu_input(session.get_inputs()[0].name, example)
    binding.bind_output(session.get_outputs()[0].name)
    return lambda: session.run_with_iobinding(binding)


def latency(call: Callable[[], object]) -> dict[str, float]:
    """The median of a round's calls."""
    times = []
    for _ in range(CALLS):
        began = time.perf_counter_ns()
        call()
        times.append(time.perf_counter_ns() - began)
    return {"microseconds": median(times) / 1000}


def speedup(before: bytes, after: bytes) -> float:
    """How many times faster the second file is: one thread, XNNPACK, in turns; the median of the rounds' ratios."""
    from tkit_edge.worker import Worker

    with tempfile.TemporaryDirectory() as scratch:
        paths = [Path(scratch) / name for name in ("before.tflite", "after.tflite")]
        for path, data in zip(paths, (before, after), strict=True):
            path.write_bytes(data)
        with Worker(paths[0], 1, "xnnpack", 60.0) as first, Worker(paths[1], 1, "xnnpack", 60.0) as second:
            ratios = []
            for worker in (first, second):
                worker.ask("load")
            for _ in range(ROUNDS):
                times = [np.median(worker.run(seconds=SECONDS, runs=20)) for worker in (first, second)]
                ratios.append(times[0] / times[1])
    return median(ratios)
