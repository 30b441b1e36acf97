"""What is measured of exported files, and what they may cost."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AfterValidator, Field, PositiveInt

from tkit.conversion.config import Format
from tkit_edge.settings import DEFAULT_PRECISION, DEFAULT_SECONDS, SWEEP
from tkit_pipelines.config import Config

Kernels = Literal["xnnpack", "builtin", "reference"]


def _thread_counts(threads: tuple[int | str, ...]) -> tuple[int | str, ...]:
    if threads != (SWEEP,) and not all(isinstance(count, int) and count > 0 for count in threads):
        raise ValueError(f"expected numbers from 1 on, or {SWEEP} alone")
    return threads


class Budget(Config):
    """What one exported file may cost; null: anything. A figure past it ends the command with exit code 3."""

    format: Format = "int8"
    """The file that is judged."""
    bytes: PositiveInt | None = None
    """Largest size, in bytes."""
    p50_ms: float | None = Field(None, gt=0)
    """Largest median latency of its fastest configuration, in ms: compare on one quiet machine only."""
    p50_ratio: float | None = Field(None, gt=0)
    """The same as a multiple of the reference's, which is measured in the same rounds."""
    reference: str = "float32"
    """What `p50_ratio` is compared with: another exported format, or the path of a .tflite file."""
    peak_memory: PositiveInt | None = None
    """Largest resident memory of the process that runs it, Python and numpy included, in bytes."""
    accuracy: float | None = Field(None, ge=0, le=1)
    """Lowest accuracy on the test images."""


class Bench(Config):
    """What is measured of each exported file, through the LiteRT runtime."""

    seconds: float = Field(DEFAULT_SECONDS, gt=0)
    """Measuring time of each file at each thread count and kernel set, in seconds, at least."""
    precision: float = Field(DEFAULT_PRECISION, gt=0)
    """Measures on until each p50 is known within this share of it (95 % interval), or `most_seconds` are over."""
    most_seconds: float | None = Field(None, gt=0)
    """Measuring time of each at most; null: three times `seconds`."""
    formats: tuple[Format, ...] = ()
    """Which files; all that were exported where none is named."""
    threads: Annotated[tuple[int | str, ...], AfterValidator(_thread_counts)] = ()
    """Thread counts, or `sweep`: 1, 2, 4 ... up to all cores; 1 and all cores where none is named."""
    kernels: tuple[Kernels, ...] = ("xnnpack", "builtin")
    """`xnnpack` (the runtime's default), `builtin` (its own optimized kernels), `reference` (its plain ones)."""
    operators: bool = False
    """Whether each operator is timed too, by timing prefixes of the file."""
    budget: Budget = Budget()
    """What the file that ships may cost."""
