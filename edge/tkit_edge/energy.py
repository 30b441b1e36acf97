"""What one inference takes of a machine's energy, beyond what it takes idle."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from tkit_edge.power import Meter

RATHER_SECONDS = 3.0
"""Of measuring each configuration's energy: boards and meters are read a few times in a second."""


@dataclass(frozen=True)
class Energy:
    """Of one configuration, while it runs without a pause."""

    millijoules: float
    """Of one inference, without what the machine takes idle."""
    watts: float
    """Of the machine."""


@dataclass(frozen=True)
class PowerSource:
    """Where the energies come from."""

    name: str
    """The meter's."""
    idle_watts: float | None
    """Of the machine before anything ran; None where the meter gave too few readings."""


def measured(
    meter: Meter, runs: Sequence[Callable[[float], int]], seconds: float
) -> tuple[PowerSource, list[Energy | None]]:
    """The energy of each configuration, after a pause in which the machine is idle.

    Args:
        meter: the power's.
        runs: for each configuration a function that runs it for so many seconds, and returns the number of inferences.
        seconds: of each.

    Returns:
        The meter with the idle power, and each configuration's energy: None where the meter gave too few readings.
    """
    meter.start()
    spans = []
    for run in (_idle, *runs):
        began = time.time()
        count = run(seconds)
        spans.append((began, time.time(), count))
    power = meter.stop()
    powers = []
    for began, ended, _ in spans:
        joules = power.joules(began, ended)
        powers.append(None if joules is None else joules / (ended - began))
    idle, *loaded = powers
    found: list[Energy | None] = []
    for watts, (began, ended, count) in zip(loaded, spans[1:]):
        if watts is None or idle is None:
            found.append(None)
        else:
            found.append(Energy((watts - idle) * (ended - began) / count * 1e3, watts))
    return PowerSource(meter.name, idle), found


def _idle(seconds: float) -> int:
    time.sleep(seconds)
    return 1
