"""Latency, throughput, memory and accuracy of .tflite files, in runs whose figures can be compared.

Each file x thread count x kernel set has a process of its own (`worker`). All stay alive, and are measured in
turn, round after round: what slows the machine for a while slows all of them, so the ratios between them
hold. The timer runs around the runtime's invoke alone; inputs are random.
"""

from __future__ import annotations

import datetime
import math
import platform
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from tkit_edge import files, flatbuffer, machine, runtime
from tkit_edge.bundle import Bundle
from tkit_edge.errors import InputError
from tkit_edge.graph import Graph, macs, parameters
from tkit_edge.inputs.noise import Noise
from tkit_edge.isolated import OpenedFile
from tkit_edge.judge import Judge
from tkit_edge.report import VERSION, FileScore, Reading, Report, Result
from tkit_edge.score import scored
from tkit_edge.text import counted
from tkit_edge.worker import Worker

ROUNDS = 5
MIN_RUNS = 2  # of each configuration in each round, however slow it is
WARM_UP = 0.1  # share of the measuring time
PROBE = 20  # examples on which threaded and single-threaded answers are compared
CHUNK_SECONDS = 5.0  # of examples between two signs of progress
READS = 100  # of golden samples
DEFAULT_SECONDS = 1.0
DEFAULT_KERNELS = ("xnnpack", "builtin")
DEFAULT_TIMEOUT = 300.0


@dataclass(frozen=True)
class _File:
    path: Path
    format: str | None
    bytes: int
    graph: Graph


@dataclass
class _Configuration:
    file: _File
    threads: int
    kernels: str
    worker: Worker
    loaded: dict[str, Any]
    times: list[int]

    def describe(self) -> str:
        return f"{self.file.path.name}, {counted(self.threads, 'thread')}, {self.kernels}"

    def result(self, score: FileScore | None) -> Result:
        p50, p90, p99 = (float(value) / 1e6 for value in np.percentile(self.times, (50, 90, 99)))
        mean = sum(self.times) / len(self.times) / 1e6
        return Result(
            file=self.file.path.name,
            format=self.file.format,
            threads=self.threads,
            kernels=self.kernels,
            p50_ms=p50,
            p90_ms=p90,
            p99_ms=p99,
            mean_ms=mean,
            runs_per_second=1e3 / mean,
            runs=len(self.times),
            score=score,
            bytes=self.file.bytes,
            macs=macs(self.file.graph),
            parameters=parameters(self.file.graph),
            **self.loaded,
        )


def bench(
    path: str | Path,
    *,
    threads: Sequence[int] | None = None,
    kernels: Sequence[str] = DEFAULT_KERNELS,
    formats: Sequence[str] | None = None,
    seconds: float = DEFAULT_SECONDS,
    test: str | Path | None = None,
    also: Sequence[str | Path] = (),
    progress: Callable[[str], None] = lambda line: None,
    timeout: float = DEFAULT_TIMEOUT,
) -> Report:
    """Measures a bundle's files, or one .tflite file.

    Args:
        path: a bundle's folder or a .tflite file.
        threads: thread counts; 1 and all cores by default.
        kernels: of "xnnpack", "builtin", "reference".
        formats: the bundle's files to measure; all by default.
        seconds: measuring time of each configuration.
        test: an .npz file with `images` and `labels`, for the score.
        also: other .tflite files that are measured in the same rounds, to be compared with; without a score.
        progress: is called with a short line for each configuration measured.
        timeout: seconds that a worker's one answer may take.

    Raises:
        InputError: a wrong argument, or a file that is damaged, crashes the runtime or hangs.

    Example: `bench("export", formats=["int8"], threads=[1]).results[0].p50_ms`
    """
    where = machine.describe()  # before this measurement is a load of its own
    chosen = _chosen_threads(threads)
    _check(kernels, seconds)
    found = runtime.find()
    subjects, bundle = _files(Path(path), formats)
    judges = {} if test is None else {file.path: Judge.of(Path(test), bundle, file.path) for file in subjects}
    with ExitStack() as stack:
        configurations = [
            _Configuration(file, count, kernel, stack.enter_context(Worker(file.path, count, kernel, timeout)), {}, [])
            for file in [*subjects, *(_file(Path(other), None) for other in also)]
            for kernel in dict.fromkeys(kernels)
            for count in chosen
        ]
        configurations = _loaded(configurations)
        _measure(configurations, seconds, progress)
        scores = {
            path: _scored([item for item in configurations if item.file.path == path], judge, progress)
            for path, judge in judges.items()
        }
    return Report(
        kind="bench",
        version=VERSION,
        machine=where,
        runtime={"name": found.name, "version": found.version},
        python=platform.python_version(),
        date=datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds"),
        seconds=seconds,
        results=tuple(item.result(scores.get(item.file.path)) for item in configurations),
        reading=None if bundle is None else _reading(bundle),
    )


def _reading(bundle: Bundle) -> Reading | None:
    """How long the bundle's golden samples take to be read; None for noise, which a device draws."""
    if isinstance(bundle.input, Noise):
        return None
    items = [files.read_bytes(bundle.encoded(number)) for number in range(bundle.golden_file.samples)]
    times: list[int] = []
    while items and len(times) < READS:
        for item in items:
            began = time.perf_counter_ns()
            try:
                bundle.input.read(item)
            except InputError:  # no Pillow here, say
                return None
            times.append(time.perf_counter_ns() - began)
    return Reading(bundle.input.example, float(np.median(times)) / 1e6, len(times)) if times else None


def _loaded(configurations: list[_Configuration]) -> list[_Configuration]:
    """Those that differ in what really runs, loaded."""
    for item in configurations:
        item.worker.ask("start")  # so that none still starts while another is measured
    kept: dict[tuple[Path, int, str], _Configuration] = {}
    for item in configurations:
        item.loaded = item.worker.ask("load")
        item.kernels = item.loaded.pop("kernels")
        kept.setdefault((item.file.path, item.threads, item.kernels), item)
    return list(kept.values())


def _measure(configurations: list[_Configuration], seconds: float, progress: Callable[[str], None]) -> None:
    for item in configurations:
        item.worker.ask("run", seconds=seconds * WARM_UP, runs=MIN_RUNS)
    for number in range(ROUNDS):
        for item in configurations:
            item.times += item.worker.ask("run", seconds=seconds / ROUNDS, runs=MIN_RUNS)
            if number == ROUNDS - 1:
                progress(f"{item.describe()}: {np.median(item.times) / 1e6:.3f} ms")


def _scored(own: list[_Configuration], judge: Judge, progress: Callable[[str], None]) -> FileScore:
    """One file's score: on one thread, or on more where they are faster and give the same answers.

    Of the kernel sets measured it takes the first, XNNPACK by default.
    """
    same_kernels = [item for item in own if item.kernels == own[0].kernels]
    chosen = min(same_kernels, key=lambda item: item.threads)
    fastest = min(same_kernels, key=lambda item: np.median(item.times))
    model = OpenedFile(chosen.worker, str(chosen.file.path))
    if fastest is not chosen:
        other = OpenedFile(fastest.worker, str(fastest.file.path))
        if np.array_equal(judge.graded(other, 0, PROBE), judge.graded(model, 0, PROBE)):
            chosen, model = fastest, other
    step = max(1, int(CHUNK_SECONDS / (np.median(chosen.times) / 1e9)))
    grades = np.concatenate([judge.graded(model, start, start + step) for start in range(0, judge.samples, step)])
    measure = judge.output.measure
    assert measure is not None  # Judge.of
    found = scored(measure, grades)
    text = measure.text(found.value)
    samples = counted(found.samples, f"test {judge.input.example}")
    progress(f"{chosen.file.path.name}: {found.name} {text} {'of' if measure.share else 'on'} {samples}")
    return FileScore(**asdict(found), threads=chosen.threads, kernels=chosen.kernels)


def _files(path: Path, formats: Sequence[str] | None) -> tuple[list[_File], Bundle | None]:
    if path.is_dir():
        bundle = Bundle.read(path)
        names = list(bundle.models) if formats is None else list(dict.fromkeys(formats))
        if not names:
            raise InputError(f"No formats given; {path} has: {', '.join(bundle.models)}.")
        return [_file(bundle.path(fmt), fmt) for fmt in names], bundle
    if formats is not None:
        raise InputError(f"Formats choose files of a bundle; {path} is not a bundle's folder.")
    return [_file(path, None)], None


def _file(path: Path, fmt: str | None) -> _File:
    data = files.read_bytes(path)
    graph = flatbuffer.read(data, str(path))
    for index in graph.inputs:
        tensor = graph.tensors[index]
        if any(size < 0 for size in tensor.signature[1:]):
            raise InputError(
                f"{path}: the input {tensor.name!r} has open sizes {list(tensor.signature)}, so it has no "
                "one latency. Export it with fixed sizes (the first, the batch, may stay open and is 1)."
            )
    return _File(path, fmt, len(data), graph)


def _chosen_threads(threads: Sequence[int] | None) -> list[int]:
    chosen = list(dict.fromkeys((1, machine.cores()) if threads is None else threads))
    if not chosen or min(chosen) < 1:
        raise InputError(f"threads: expected numbers from 1 on, received {chosen}.")
    return chosen


def _check(kernels: Sequence[str], seconds: float) -> None:
    unknown = [name for name in kernels if name not in runtime.KERNELS]
    if unknown or not kernels:
        raise InputError(f"kernels: expected of {', '.join(runtime.KERNELS)}, received {', '.join(unknown) or 'none'}.")
    if not 0 < seconds < math.inf:
        raise InputError(f"seconds: expected a number above 0, received {seconds}.")
