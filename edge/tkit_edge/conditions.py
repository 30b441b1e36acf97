"""What the machine was like before, during and after a measurement: frequency, temperature, throttling, other load.

Sources: Documentation/admin-guide/pm/cpufreq.rst and driver-api/thermal/sysfs-api.rst of Linux, proc(5), and Raspberry
Pi's documentation of `vcgencmd get_throttled`.
"""

from __future__ import annotations

import os
import re
import subprocess
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tkit_edge.machine import text_of

FALLEN_SHARE, FALLEN_LOOKS = 0.9, 3
"""Below this share of its highest frequency under load, in so many looks on end, a processor was throttled."""
OTHER_SHARE = 0.05
"""Of the cores: the load by other processes from which it is worth a word."""
_FIRMWARE_BITS = {
    0: "under-voltage: use a stronger power supply",
    1: "the firmware capped the frequency",
    2: "the firmware throttled it",
    3: "the soft temperature limit was reached",
}
_SINCE_BOOT = 16  # the same four bits, from this one on: at any time since the machine was started
_PROCESSOR_ZONES = re.compile(r"cpu|soc|pkg|core", re.IGNORECASE)
_FIRMWARE = ("usr/bin/vcgencmd", "opt/vc/bin/vcgencmd")
_TIMEOUT = 5.0  # seconds for the firmware's answer


@dataclass(frozen=True)
class Condition:
    """The machine at one time; None where it has no such sensor."""

    frequency_mhz: float | None
    """Of the fastest core now."""
    temperature_c: float | None
    """The highest of the processor's thermal zones."""
    throttle_bits: int | None
    """Raspberry Pi's `get_throttled`."""


@dataclass(frozen=True)
class Conditions:
    """The machine around a measurement."""

    before: Condition
    lowest_frequency_mhz: float | None
    """Under load."""
    highest_frequency_mhz: float | None
    highest_temperature_c: float | None
    after: Condition
    throttling: tuple[str, ...]
    """Why the processor is known to have been throttled; empty where nothing says so."""
    other_cores: float | None
    """How many cores other processes kept busy while it was measured."""


class Sensors:
    """The sensors of Linux, as files; what a machine doesn't have reads as None.

    Args:
        root: where /sys and /proc are; tests have folders of their own.
    """

    def __init__(self, root: str | Path = "/") -> None:
        self.root = Path(root)
        zones = sorted(self.root.glob("sys/class/thermal/thermal_zone*"))
        self._zones = [zone for zone in zones if _PROCESSOR_ZONES.search(text_of(zone / "type") or "")] or zones
        self._cores = sorted(self.root.glob("sys/devices/system/cpu/cpu[0-9]*/cpufreq/scaling_cur_freq"))
        self._firmware = next((path for name in _FIRMWARE if (path := self.root / name).is_file()), None)

    def now(self) -> Condition:
        """All of them."""
        return Condition(self.frequency_mhz(), self.temperature_c(), self.throttle_bits())

    def frequency_mhz(self) -> float | None:
        """Of the core that runs fastest."""
        found = [value / 1e3 for path in self._cores if (value := _number(path)) is not None]  # files have kHz
        return max(found, default=None)

    def temperature_c(self) -> float | None:
        """Of the processor's hottest zone."""
        found = [value / 1e3 for zone in self._zones if (value := _number(zone / "temp")) is not None]
        return max(found, default=None)

    def limit_c(self) -> float | None:
        """The temperature from which Linux slows the processor: the lowest passive trip point of its zones."""
        kinds = [path for zone in self._zones for path in zone.glob("trip_point_*_type") if text_of(path) == "passive"]
        limits = [_number(path.with_name(path.name.replace("_type", "_temp"))) for path in kinds]
        return min((limit / 1e3 for limit in limits if limit is not None and limit > 0), default=None)

    def throttle_bits(self) -> int | None:
        """Raspberry Pi's `get_throttled`."""
        found = re.search(r"throttled=(0x[0-9a-fA-F]+)", self.firmware("get_throttled") or "")
        return int(found.group(1), 16) if found else None

    def firmware(self, question: str) -> str | None:
        """What Raspberry Pi's `vcgencmd` answers."""
        if self._firmware is None:
            return None
        try:
            done = subprocess.run([self._firmware, question], capture_output=True, timeout=_TIMEOUT)
        except (OSError, subprocess.SubprocessError):
            return None
        return done.stdout.decode(errors="replace") if done.returncode == 0 else None

    def busy_seconds(self) -> float | None:
        """The time that all cores were busy since the start of the machine, the hypervisor's share included."""
        found = re.match(r"cpu +([\d ]+)", text_of(self.root / "proc/stat") or "")
        if found is None:
            return None
        user, nice, system, _, _, *others = map(int, found.group(1).split()[:8])  # guests' time is in user's
        return (user + nice + system + sum(others)) / _ticks()

    def own_seconds(self, processes: Sequence[int]) -> float | None:
        """The processor time of processes and of the children that they waited for."""
        total = 0
        for process in processes:
            text = text_of(self.root / "proc" / str(process) / "stat")
            if text is None:
                return None
            total += sum(map(int, text.rpartition(")")[2].split()[11:15]))  # utime, stime, cutime, cstime
        return total / _ticks()


class Watch:
    """Looks at the sensors before, during and after a measurement.

    Args:
        sensors: of this machine.

    Example:
        >>> watch = Watch(Sensors())
        >>> watch.start([os.getpid()])
        >>> ...  # and watch.look() after each part of the measurement
        >>> watch.conditions().throttling
    """

    def __init__(self, sensors: Sensors) -> None:
        self.sensors = sensors
        self.before = sensors.now()
        self._frequencies: list[float] = []
        self._temperatures: list[float] = []
        self._bits = 0
        self._processes: Sequence[int] = ()
        self._began: tuple[float, float | None] = (time.monotonic(), None)

    def start(self, processes: Sequence[int]) -> None:
        """The measurement begins; the load of `processes` is its own."""
        self._processes = processes
        self._began = time.monotonic(), self._others()

    def look(self) -> None:
        """Reads what changes quickly, right after a run: an idle core may be slower a moment later."""
        frequency, temperature = self.sensors.frequency_mhz(), self.sensors.temperature_c()
        self._frequencies += [] if frequency is None else [frequency]
        self._temperatures += [] if temperature is None else [temperature]

    def look_closer(self) -> None:
        """Asks the firmware too, which takes some milliseconds."""
        self._bits |= self.sensors.throttle_bits() or 0

    def conditions(self) -> Conditions:
        """What was seen, now that the measurement is over."""
        began, others_before = self._began
        elapsed, others = time.monotonic() - began, self._others()
        after = self.sensors.now()
        other_cores = None
        if others is not None and others_before is not None and elapsed > 0:
            other_cores = round(max(0.0, (others - others_before) / elapsed), 2)
        return Conditions(
            before=self.before,
            lowest_frequency_mhz=min(self._frequencies, default=None),
            highest_frequency_mhz=max(self._frequencies, default=None),
            highest_temperature_c=max(self._temperatures, default=None),
            after=after,
            throttling=tuple(self._throttling(after)),
            other_cores=other_cores,
        )

    def _others(self) -> float | None:
        busy, own = self.sensors.busy_seconds(), self.sensors.own_seconds(self._processes)
        return None if busy is None or own is None else busy - own

    def _throttling(self, after: Condition) -> list[str]:
        found = []
        highest, below = 0.0, 0
        for frequency in self._frequencies:
            highest = max(highest, frequency)
            below = below + 1 if frequency < FALLEN_SHARE * highest else 0
            if below == FALLEN_LOOKS:
                found.append(f"the frequency fell from {highest:,.0f} to {frequency:,.0f} MHz")
                break
        limit, hottest = self.sensors.limit_c(), max(self._temperatures, default=None)
        if limit is not None and hottest is not None and hottest >= limit:
            found.append(f"{hottest:.0f} °C, and Linux slows it from {limit:.0f} °C on")
        since = (after.throttle_bits or 0) & ~(self.before.throttle_bits or 0)
        bits = self._bits | (after.throttle_bits or 0) | since >> _SINCE_BOOT
        return [*found, *(reason for bit, reason in _FIRMWARE_BITS.items() if bits >> bit & 1)]


def remarks(found: Mapping[str, Any], cores: int) -> list[str]:
    """What of `Conditions`, as JSON has them, a reader of the figures should know."""
    lines = []
    if found["throttling"]:
        lines.append(f"The processor was throttled ({'; '.join(found['throttling'])}): latencies come out high.")
    frequency, temperature = found["highest_frequency_mhz"], found["highest_temperature_c"]
    seen = [] if frequency is None else [f"{found['lowest_frequency_mhz']:,.0f} to {frequency:,.0f} MHz"]
    seen += [] if temperature is None else [f"at most {temperature:.0f} °C"]
    for name in ("before", "after"):
        value = found[name]["temperature_c"]
        seen += [] if value is None else [f"{value:.0f} °C {name}"]
    if seen:
        lines.append(f"processor under load: {', '.join(seen)}")
    others = found["other_cores"]
    if others is not None and others > OTHER_SHARE * cores:
        lines.append(f"Other processes kept {others:.2f} of {cores} cores busy: latencies come out high.")
    return lines


def _ticks() -> int:
    return os.sysconf("SC_CLK_TCK")


def _number(path: Path) -> float | None:
    try:
        return float(text_of(path) or "")
    except ValueError:
        return None
