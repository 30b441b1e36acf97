"""What `bench` reports: one result per file and configuration."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from tkit_edge.score import Score

VERSION = 2
"""Of the JSON document."""


@dataclass(frozen=True)
class FileScore(Score):
    """The score of one file on the test examples, and the configuration that ran it."""

    threads: int
    kernels: str


@dataclass(frozen=True)
class Result:
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
    p50_ms: float
    p90_ms: float
    p99_ms: float
    mean_ms: float
    runs_per_second: float
    runs: int
    peak_memory: int
    """The process's most, in bytes."""
    model_memory: int
    """The same, less what it had before it loaded the file."""
    score: FileScore | None


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
    """Measuring time of each configuration."""
    results: tuple[Result, ...]
    reading: Reading | None = None
    """Of a bundle with golden samples that can be read here."""

    def as_dict(self) -> dict[str, Any]:
        """The report as JSON takes it: a score that isn't finite, or an end of its interval, is None."""
        found = asdict(self)
        for row, result in zip(found["results"], self.results):
            row["score"] = None if result.score is None else result.score.as_json()
        return found
