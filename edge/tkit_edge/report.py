"""What `bench` reports: one result per file and configuration."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from tkit_edge.conditions import Conditions
from tkit_edge.energy import Energy, PowerSource
from tkit_edge.latency import Latency
from tkit_edge.operators import OperatorTimes
from tkit_edge.score import Score

VERSION = 2
"""Of the JSON document."""


@dataclass(frozen=True)
class FileScore(Score):
    """The score of one file on the test examples, and the configuration that ran it."""

    threads: int
    kernels: str


@dataclass(frozen=True)
class Result(Latency):
    """One file in one configuration."""

    file: str
    format: str | None
    """Its name in the bundle."""
    bytes: int
    macs: int | None
    parameters: int
    threads: int
    kernels: str
    """Those that ran: "builtin" where XNNPACK was asked for and takes none of the file's operators."""
    load_ms: float
    first_ms: float
    peak_memory: int
    """The process's most while it loaded the file and ran it once, in bytes."""
    model_memory: int
    """The same, less what it had before it loaded the file."""
    steady_memory: int | None
    """What the process has after all runs, in bytes; None where the system doesn't tell."""
    score: FileScore | None
    """On the test examples."""
    golden: FileScore | None
    """On the bundle's few golden samples, where no test examples were given."""
    energy: Energy | None


@dataclass(frozen=True)
class Start:
    """How long a process takes from its start until it could load a file: Python, numpy and the runtime."""

    first_ms: float
    p50_ms: float
    starts: int


@dataclass(frozen=True)
class Reading:
    """How long it takes to read an example before a model runs on it: to decode an image, to tokenize a text."""

    example: str
    """What an example is called."""
    p50_ms: float
    reads: int


@dataclass(frozen=True)
class Report:
    """All that one call of `bench` measured."""

    kind: str
    """"bench"."""
    version: int
    machine: dict[str, Any]
    runtime: dict[str, str]
    python: str
    date: str
    seconds: float
    """Measuring time of each configuration, at least."""
    most_seconds: float
    """The same, at most."""
    precision: float
    """Wanted of each p50, as a share of it."""
    start: Start
    conditions: Conditions
    power: PowerSource | None
    results: tuple[Result, ...]
    operators: tuple[OperatorTimes, ...] = ()
    """Where they were asked for."""
    reading: Reading | None = None
    """Of a bundle with golden samples that can be read here."""

    def as_dict(self) -> dict[str, Any]:
        """The report as JSON takes it: a score that isn't finite, or an end of its interval, is None."""
        found = asdict(self)
        for row, result in zip(found["results"], self.results):
            for key, score in (("score", result.score), ("golden", result.golden)):
                row[key] = None if score is None else score.as_json()
        return found
