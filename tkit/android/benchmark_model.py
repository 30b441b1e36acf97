"""LiteRT's `benchmark_model`: how it is called, and what its output means.

Source: github.com/google-ai-edge/LiteRT, tflite/tools/benchmark (the interpreter's tool) and litert/tools (the compiled
model's); both print the lines that are read here.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import NamedTuple

from tkit_edge.errors import InputError

ABIS = {183: "arm64-v8a", 40: "armeabi-v7a", 62: "x86_64", 3: "x86"}
"""Android's name of a processor, by the number that an ELF file has for it."""
WARM_UP_SECONDS = 0.5
_FIGURE = r"([0-9.]+(?:e[+-]?\d+)?)"
_COUNT = re.compile(r"\bcount=(\d+) (.*)")
_MIB = 1 << 20


class Timing(NamedTuple):
    """What one call of it measured: times in ms, memory in bytes; None where its version doesn't tell."""

    kernels: str
    """Those that ran: "xnnpack" or "builtin"."""
    load_ms: float
    first_ms: float
    mean_ms: float
    std_ms: float
    p50_ms: float | None
    p95_ms: float | None
    runs: int
    peak_memory: int | None


def arguments(graph: str, threads: int, kernels: str, seconds: float) -> list[str]:
    """The options for one measurement.

    Args:
        graph: the file's path on the device.
        threads: how many the kernels may use.
        kernels: "xnnpack" or "builtin".
        seconds: measuring time.
    """
    return [
        f"--graph={graph}",
        f"--num_threads={threads}",
        f"--use_xnnpack={'true' if kernels == 'xnnpack' else 'false'}",
        f"--warmup_min_secs={min(WARM_UP_SECONDS, seconds)}",
        f"--min_secs={seconds}",
        "--num_runs=2",
        "--report_peak_memory_footprint=true",
    ]


def parsed(output: str) -> Timing:
    """The figures in its output.

    Raises:
        InputError: it has none, because the file couldn't be run, say.
    """
    session = re.search(rf"Initialized session in {_FIGURE}ms", output)
    counts = _COUNT.findall(output)
    if session is None or len(counts) < 2:
        errors = re.findall(r"^ERROR: (.*)", output, re.M) or output.strip().splitlines()[-1:]
        raise InputError(f"benchmark_model measured nothing: {' '.join(errors[:3]) or 'it printed nothing'}")
    warm_up, measured = (dict(re.findall(rf"(\w+)={_FIGURE}", figures)) for _, figures in (counts[0], counts[-1]))
    first = warm_up.get("first", warm_up.get("curr"))  # a single run is printed without statistics
    mean = measured.get("avg", measured.get("curr"))
    assert first is not None and mean is not None
    peak = re.search(rf"(?:peak memory footprint \(MB\) via periodic monitoring: |Peak memory: +){_FIGURE}", output)
    delegated = "Created TensorFlow Lite XNNPACK delegate" in output and "XNNPACK delegate is explicitly" not in output
    return Timing(
        kernels="xnnpack" if delegated else "builtin",
        load_ms=float(session[1]),
        first_ms=float(first) / 1e3,
        mean_ms=float(mean) / 1e3,
        std_ms=float(measured.get("std", 0)) / 1e3,
        p50_ms=float(measured["median"]) / 1e3 if "median" in measured else None,
        p95_ms=float(measured["p95"]) / 1e3 if "p95" in measured else None,
        runs=int(counts[-1][0]),
        peak_memory=round(float(peak[1]) * _MIB) if peak else None,
    )


def abi(path: Path) -> str:
    """Android's name of the processor that a program is for.

    Raises:
        InputError: no program for Android.
    """
    try:
        with open(path, "rb") as file:
            head = file.read(20)
    except OSError as error:
        raise InputError(f"Cannot read {path}: {error.strerror}.") from error
    number = int.from_bytes(head[18:20], "little")
    if head[:4] != b"\x7fELF" or number not in ABIS:
        raise InputError(f"{path} is no program for Android: expected LiteRT's benchmark_model.")
    return ABIS[number]
