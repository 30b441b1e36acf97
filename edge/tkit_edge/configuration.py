"""One file on so many threads with one set of kernels, in a process of its own; measured in rounds."""

from __future__ import annotations

import time
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from tkit_edge.conditions import Watch
from tkit_edge.energy import Energy
from tkit_edge.graph import Graph, macs, parameters
from tkit_edge.latency import latency, precise
from tkit_edge.report import FileScore, Result
from tkit_edge.settings import Settings
from tkit_edge.text import counted
from tkit_edge.worker import Worker

ROUNDS = 9
"""At least, in `seconds`: with as many the interval of their median leaves the extremes out."""
MIN_RUNS = 2
"""Of each configuration in each round, however slow it is."""
WARM_UP = 0.1
"""Share of the measuring time."""
STARTS = 3
"""Processes whose start is timed, one after the other; the others start together."""


@dataclass(frozen=True)
class File:
    """A .tflite file that is measured."""

    path: Path
    format: str | None
    bytes: int
    graph: Graph


@dataclass
class Configuration:
    """A file, how it is run, the process that runs it, and the times of its runs."""

    file: File
    threads: int
    kernels: str
    worker: Worker
    loaded: dict[str, Any] = field(default_factory=dict)
    rounds: list[np.ndarray] = field(default_factory=list)
    """Each round's times in ns."""
    medians: list[float] = field(default_factory=list)
    """Theirs."""

    def describe(self) -> str:
        """For people."""
        return f"{self.file.path.name}, {counted(self.threads, 'thread')}, {self.kernels}"

    def turn(self, seconds: float) -> None:
        """One round."""
        times = self.worker.run(seconds=seconds, runs=MIN_RUNS)
        self.rounds.append(times)
        self.medians.append(float(np.median(times)))

    @property
    def median(self) -> float:
        """Of all runs, in ns."""
        return float(np.median(np.concatenate(self.rounds)))

    def result(
        self, precision: float, energy: Energy | None, score: FileScore | None = None, golden: FileScore | None = None
    ) -> Result:
        """What was measured."""
        return Result(
            **vars(latency(self.rounds, precision)),
            file=self.file.path.name,
            format=self.file.format,
            threads=self.threads,
            kernels=self.kernels,
            score=score,
            golden=golden,
            energy=energy,
            bytes=self.file.bytes,
            macs=macs(self.file.graph),
            parameters=parameters(self.file.graph),
            steady_memory=self.worker.ask("memory"),
            **self.loaded,
        )


def started(files: Sequence[File], settings: Settings, stack: ExitStack) -> tuple[list[Configuration], list[float]]:
    """A process for each file, set of kernels and thread count, ended with `stack`; and some starts' times, in ms."""
    configurations: list[Configuration] = []
    starts: list[float] = []
    for file in files:
        for kernel in settings.kernels:
            for count in settings.threads:
                began = time.perf_counter()
                worker = stack.enter_context(Worker(file.path, count, kernel, settings.timeout))
                if len(starts) < STARTS:
                    worker.ask("start")
                    starts.append((time.perf_counter() - began) * 1e3)
                configurations.append(Configuration(file, count, kernel, worker))
    for item in configurations:
        item.worker.ask("start")  # so that none still starts while another is measured
    return configurations, starts


def loaded(configurations: Sequence[Configuration]) -> list[Configuration]:
    """Those that differ in what really runs, their files loaded and run once."""
    kept: dict[tuple[Path, int, str], Configuration] = {}
    for item in configurations:
        item.loaded = item.worker.ask("load")
        item.kernels = item.loaded.pop("kernels")
        kept.setdefault((item.file.path, item.threads, item.kernels), item)
    return list(kept.values())


def measure(configurations: Sequence[Configuration], settings: Settings, watch: Watch) -> None:
    """Measures all in turn, round after round, until each median is precise enough or the time is over.

    All go on until the last is precise: what slows the machine for a while slows all of them, so that the ratios hold.

    Args:
        configurations: loaded.
        settings: the time of each, at least in `ROUNDS` rounds, and the precision.
        watch: started; it looks after each turn.
    """
    seconds = settings.seconds
    for item in configurations:
        item.worker.run(seconds=seconds * WARM_UP, runs=MIN_RUNS)
        watch.look()
    rounds, spent = 0, 0.0
    while rounds < ROUNDS or (spent < settings.most_seconds and not _precise(configurations, settings.precision)):
        for item in configurations:
            item.turn(seconds / ROUNDS)
            watch.look()
        watch.look_closer()
        rounds += 1
        slowest = max(float(sum(map(np.sum, item.rounds))) for item in configurations)
        spent = max(rounds / ROUNDS * seconds, slowest / 1e9)


def _precise(configurations: Sequence[Configuration], precision: float) -> bool:
    return all(precise(item.medians, precision) for item in configurations)
