"""Latency, throughput, memory, energy and accuracy of .tflite files, in runs whose figures can be compared.

Each file x thread count x kernel set has a process of its own (`worker`). All stay alive, and are measured in
turn, round after round: what slows the machine for a while slows all of them, so the ratios between them
hold. The timer runs around the runtime's invoke alone; inputs are random.
"""

from __future__ import annotations

import datetime
import os
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np

from tkit_edge import energy, files, flatbuffer, operators, power, runtime
from tkit_edge.bundle import Bundle
from tkit_edge.conditions import Sensors, Watch
from tkit_edge.configuration import MIN_RUNS, Configuration, File, loaded, measure, started
from tkit_edge.errors import InputError
from tkit_edge.inputs.noise import Noise
from tkit_edge.judge import Judge
from tkit_edge.report import VERSION, Reading, Report, Start
from tkit_edge.scoring import score
from tkit_edge.settings import DEFAULT_KERNELS, DEFAULT_PRECISION, DEFAULT_SECONDS, DEFAULT_TIMEOUT, Settings
from tkit_edge.text import counted

READS = 100
"""Of golden samples, to find out how long that takes."""


def bench(
    path: str | Path,
    *,
    threads: Sequence[int] | str | None = None,
    kernels: Sequence[str] = DEFAULT_KERNELS,
    formats: Sequence[str] | None = None,
    seconds: float = DEFAULT_SECONDS,
    most_seconds: float | None = None,
    precision: float = DEFAULT_PRECISION,
    operator_times: bool = False,
    test: str | Path | None = None,
    also: Sequence[str | Path] = (),
    meter: str | Path | None = None,
    progress: Callable[[str], None] = lambda line: None,
    timeout: float = DEFAULT_TIMEOUT,
) -> Report:
    """Measures a bundle's files, or one .tflite file.

    Args:
        path: a bundle's folder or a .tflite file.
        threads: thread counts, or "sweep": 1, 2, 4 ... up to all cores; 1 and all cores by default.
        kernels: of "xnnpack", "builtin", "reference".
        formats: the bundle's files to measure; all by default.
        seconds: measuring time of each configuration, at least.
        most_seconds: the same at most; by default `settings.MOST` times `seconds`.
        precision: all are measured on until the interval of each p50 is within this share of it, or the time is over.
        operator_times: whether each operator of each file is timed too.
        test: an .npz file with `images` and `labels`, for the score.
        also: other .tflite files that are measured in the same rounds, to be compared with; without a score.
        meter: a power meter's CSV file, which its program writes meanwhile; the board's own sensors by default.
        progress: is called with a short line for each configuration measured.
        timeout: seconds that a worker's one answer may take.

    Raises:
        InputError: a wrong argument, or a file that is damaged, crashes the runtime or hangs.

    Example: `bench("export", formats=["int8"], threads=[1]).results[0].p50_ms`
    """
    before, sensors = runtime.where(), Sensors()  # before this measurement is a load of its own
    settings = Settings.of(threads, kernels, seconds, most_seconds, precision, operator_times, timeout)
    source = power.meter(None if meter is None else Path(meter), sensors)
    subjects, bundle = _files(Path(path), formats)
    judges = _judges(subjects, bundle, None if test is None else Path(test))
    subjects += [_file(Path(other), None) for other in also]
    return Report(
        kind="bench",
        version=VERSION,
        **before,
        date=datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds"),
        reading=None if bundle is None else _reading(bundle),
        **_measured(subjects, judges, settings, Watch(sensors), source, progress),
    )


def _measured(
    subjects: Sequence[File],
    judges: dict[Path, Judge],
    settings: Settings,
    watch: Watch,
    source: power.Meter | None,
    progress: Callable[[str], None],
) -> dict[str, Any]:
    """The fields of a report that the files' own processes tell."""
    with ExitStack() as stack:
        configurations, starts = started(subjects, settings, stack)
        configurations = loaded(configurations)
        watch.start([os.getpid(), *(item.worker.child.process.pid for item in configurations)])
        measure(configurations, settings, watch)
        conditions = watch.conditions()
        for item in configurations:
            progress(f"{item.describe()}: {item.median / 1e6:.3f} ms")
        supply, energies = _energies(source, configurations, settings.seconds)
        scores = {}
        for path, judge in judges.items():
            own = [item for item in configurations if item.file.path == path]
            scores[path] = {"golden" if judge.is_golden else "score": score(own, judge, progress)}
        results = tuple(
            item.result(settings.precision, found, **scores.get(item.file.path, {}))
            for item, found in zip(configurations, energies)
        )
    return {
        "seconds": settings.seconds,
        "most_seconds": settings.most_seconds,
        "precision": settings.precision,
        "start": Start(starts[0], float(np.median(starts)), len(starts)),
        "conditions": conditions,
        "power": supply,
        "results": results,
        "operators": tuple(_operators(configurations, settings.timeout, progress)) if settings.operators else (),
    }


def _judges(subjects: Sequence[File], bundle: Bundle | None, test: Path | None) -> dict[Path, Judge]:
    """By file, the judge of its answers to the test examples; where there are none, to the golden samples."""
    if test is not None:
        return {file.path: Judge.of(test, bundle, file.path) for file in subjects}
    golden = None if bundle is None else Judge.golden(bundle)
    return {} if golden is None else {file.path: golden for file in subjects}


def _energies(
    source: power.Meter | None, configurations: Sequence[Configuration], seconds: float
) -> tuple[energy.PowerSource | None, Sequence[energy.Energy | None]]:
    """Each configuration's energy by the meter, after the times: reading some meters takes a processor's time."""
    if source is None:
        return None, [None] * len(configurations)

    def runner(item: Configuration) -> Callable[[float], int]:
        return lambda seconds: len(item.worker.run(seconds, MIN_RUNS))

    return energy.measured(source, [runner(item) for item in configurations], max(seconds, energy.RATHER_SECONDS))


def _operators(
    configurations: Sequence[Configuration], timeout: float, progress: Callable[[str], None]
) -> Iterator[operators.OperatorTimes]:
    """Of each file and set of kernels, on the fewest threads."""
    fewest: dict[tuple[Path, str], Configuration] = {}
    for item in sorted(configurations, key=lambda item: item.threads):
        if item.file.graph.operators:
            fewest.setdefault((item.file.path, item.kernels), item)
    for item in (item for item in configurations if item in fewest.values()):
        progress(f"{item.describe()}: {counted(len(item.file.graph.operators), 'operator')}, one after the other")
        file = item.file
        try:
            yield operators.timed(file.path, file.graph, file.format, item.threads, item.kernels, timeout)
        except InputError as error:  # a part of a file may need what the whole doesn't; all else is measured
            progress(f"{item.describe()}: no times of operators: {error}")


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


def _files(path: Path, formats: Sequence[str] | None) -> tuple[list[File], Bundle | None]:
    if path.is_dir():
        bundle = Bundle.read(path)
        names = list(bundle.models) if formats is None else list(dict.fromkeys(formats))
        if not names:
            raise InputError(f"No formats given; {path} has: {', '.join(bundle.models)}.")
        return [_file(bundle.path(fmt), fmt) for fmt in names], bundle
    if formats is not None:
        raise InputError(f"Formats choose files of a bundle; {path} is not a bundle's folder.")
    return [_file(path, None)], None


def _file(path: Path, fmt: str | None) -> File:
    data = files.read_bytes(path)
    graph = flatbuffer.read(data, str(path))
    for index in graph.inputs:
        tensor = graph.tensors[index]
        if any(size < 0 for size in tensor.signature[1:]):
            raise InputError(
                f"{path}: the input {tensor.name!r} has open sizes {list(tensor.signature)}, so it has no "
                "one latency. Export it with fixed sizes (the first, the batch, may stay open and is 1)."
            )
    return File(path, fmt, len(data), graph)
