"""How a measurement is made: the settings of `bench`, resolved and checked."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from tkit_edge import machine, runtime
from tkit_edge.errors import InputError

DEFAULT_SECONDS = 1.0
DEFAULT_PRECISION = 0.02
DEFAULT_KERNELS = ("xnnpack", "builtin")
DEFAULT_TIMEOUT = 300.0
MOST = 3.0
"""Times `seconds` that a configuration is measured at most, where nothing else is asked for."""
SWEEP = "sweep"
"""In the place of thread counts."""


@dataclass(frozen=True)
class Settings:
    """See `bench` for each."""

    threads: tuple[int, ...]
    kernels: tuple[str, ...]
    seconds: float
    most_seconds: float
    precision: float
    operators: bool
    timeout: float

    @classmethod
    def of(
        cls,
        threads: Sequence[int] | str | None,
        kernels: Sequence[str],
        seconds: float,
        most_seconds: float | None,
        precision: float,
        operators: bool,
        timeout: float,
    ) -> Settings:
        """The settings that `bench` was given.

        Raises:
            InputError: one is wrong.
        """
        unknown = [name for name in kernels if name not in runtime.KERNELS]
        if unknown or not kernels:
            received = ", ".join(unknown) or "none"
            raise InputError(f"kernels: expected of {', '.join(runtime.KERNELS)}, received {received}.")
        for name, value in (("seconds", seconds), ("precision", precision)):
            if not 0 < value < math.inf:
                raise InputError(f"{name}: expected a number above 0, received {value}.")
        most_seconds = MOST * seconds if most_seconds is None else most_seconds
        if not seconds <= most_seconds < math.inf:
            raise InputError(f"most_seconds: expected at least {seconds:g}, as seconds, received {most_seconds}.")
        unique = tuple(dict.fromkeys(kernels))
        return cls(
            tuple(thread_counts(threads, machine.cores())), unique, seconds, most_seconds, precision, operators, timeout
        )


def thread_counts(wanted: Sequence[int | str] | str | None, cores: int) -> list[int]:
    """Thread counts of a machine: those that are wanted, "sweep" (1, 2, 4 ... all cores), or by default 1 and all.

    Raises:
        InputError: they are none.
    """
    if wanted in (SWEEP, (SWEEP,)):
        return [*(2**power for power in range(cores.bit_length()) if 2**power < cores), cores]
    if isinstance(wanted, str):
        raise InputError(f"threads: expected numbers or {SWEEP}, received {wanted!r}.")
    chosen = [count for count in dict.fromkeys((1, cores) if wanted is None else wanted) if isinstance(count, int)]
    if not chosen or min(chosen) < 1:
        raise InputError(f"threads: expected numbers from 1 on, received {wanted}.")
    return chosen
