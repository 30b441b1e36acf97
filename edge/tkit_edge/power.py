"""The power that a machine draws, over time, from whatever tells it: a meter's file, or the board's own sensors.

Sources: Documentation/power/powercap/powercap.rst of Linux for RAPL; Raspberry Pi's documentation of
`vcgencmd pmic_read_adc` for the Pi 5's power management chip, which sees what the board's own rails take, not what the
5 V supply gives to USB devices directly.
"""

from __future__ import annotations

import datetime
import re
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

import numpy as np

from tkit_edge import files
from tkit_edge.conditions import Sensors
from tkit_edge.errors import InputError
from tkit_edge.machine import text_of

LEAST_READINGS = 3
"""Within a span of time whose energy is asked for."""
MAX_METER_BYTES = 256 << 20
_PERIOD = 0.2  # seconds between two readings of the board's sensors
_PATIENCE = 3.0  # seconds for which the last rows of a meter's file are waited for
_RAIL = re.compile(r"^\s*(\w+)_([AV]) (?:current|volt)\(\d+\)=([\d.]+)[AV]\s*$", re.MULTILINE)


class Power:
    """Readings of a power.

    Args:
        times: float64 [n], seconds since 1970, rising.
        watts: float64 [n].
    """

    def __init__(self, times: np.ndarray, watts: np.ndarray) -> None:
        self.times, self.watts = times, watts

    def joules(self, began: float, ended: float) -> float | None:
        """The energy between two times, by the trapezoidal rule; None where there are too few readings between them."""
        inside = (self.times > began) & (self.times < ended)
        if inside.sum() < LEAST_READINGS or self.times[0] > began or self.times[-1] < ended:
            return None
        times = np.concatenate([[began], self.times[inside], [ended]])
        watts = np.interp(times, self.times, self.watts)
        return float(np.sum(np.diff(times) * (watts[1:] + watts[:-1]) / 2))


class Meter(Protocol):
    """What reads a power while a measurement runs."""

    name: str
    """For people."""

    def start(self) -> None:
        """Readings begin."""

    def stop(self) -> Power:
        """Readings end; what was read."""


def meter(file: Path | None, sensors: Sensors) -> Meter | None:
    """The meter whose file is given, else the board's; None where it has none that this user may read.

    Raises:
        InputError: `file` isn't a meter's.
    """
    if file is not None:
        return _FileMeter(file)
    for name, read in (("Raspberry Pi's PMIC", _pmic(sensors)), ("RAPL", _rapl(sensors.root))):
        if read is not None:
            return _BoardMeter(name, read)
    return None


class _FileMeter:
    """A CSV file that another program writes meanwhile: a header with time and watts, or time, volts and amps."""

    def __init__(self, path: Path) -> None:
        self.name = path.name
        self._path = path
        self._read()  # so that a wrong file is found before anything is measured

    def start(self) -> None:
        """Its program writes by itself."""

    def stop(self) -> Power:
        """The file's rows, once they have come as far as now."""
        now = time.time()
        power = self._read()
        while (not len(power.times) or power.times[-1] < now) and time.time() < now + _PATIENCE:
            time.sleep(_PERIOD)
            power = self._read()
        return power

    def _read(self) -> Power:
        text = files.read_bytes(self._path, MAX_METER_BYTES).decode("utf-8-sig", "replace")
        header, *lines = text[: text.rfind("\n") + 1].splitlines() or [""]  # the last line may be half written
        names = [name.strip().lower() for name in header.split(",")]
        if "time" not in names or ("watts" not in names and not {"volts", "amps"} <= set(names)):
            raise InputError(
                f"{self._path}: expected a first line with time,watts or with time,volts,amps; received "
                f"{header[:100]!r}."
            )
        found = [self._reading(number, dict(zip(names, line.split(",")))) for number, line in enumerate(lines, 2)]
        array = np.array(found, np.float64).reshape(-1, 2)
        if not np.isfinite(array).all() or (np.diff(array[:, 0]) <= 0).any():
            raise InputError(f"{self._path}: expected finite numbers, and times that rise.")
        return Power(array[:, 0], array[:, 1])

    def _reading(self, number: int, row: dict[str, str]) -> tuple[float, float]:
        try:
            watts = float(row["watts"]) if "watts" in row else float(row["volts"]) * float(row["amps"])
            return _seconds(row["time"]), watts
        except (KeyError, ValueError) as error:
            raise InputError(
                f"{self._path}, line {number}: expected numbers, and a time as seconds since 1970 or like "
                f"2026-01-31T12:00:00+00:00; received {','.join(row.values())[:100]!r}."
            ) from error


class _BoardMeter:
    """The board's sensors, read now and then by a thread."""

    def __init__(self, name: str, read: Callable[[], float | None]) -> None:
        self.name = name
        self.read = read
        self._found: list[tuple[float, float]] = []
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def start(self) -> None:
        """The thread begins, after a first reading."""
        self.read()  # RAPL's readings are means since the one before
        time.sleep(_PERIOD)
        self._note()
        self._thread.start()

    def stop(self) -> Power:
        """The thread ends, after a last reading."""
        self._over.set()
        self._thread.join()
        self._note()
        array = np.array(self._found, np.float64).reshape(-1, 2)
        return Power(array[:, 0], array[:, 1])

    def _run(self) -> None:
        while not self._over.wait(_PERIOD):
            self._note()

    def _note(self) -> None:
        began = time.time()
        watts = self.read()
        if watts is not None:
            self._found.append(((began + time.time()) / 2, watts))


def _pmic(sensors: Sensors) -> Callable[[], float | None] | None:
    """Watts of a Raspberry Pi 5: the sum over the rails whose current and voltage are read."""

    def read() -> float | None:
        rails: dict[str, dict[str, float]] = {}
        for name, unit, value in _RAIL.findall(sensors.firmware("pmic_read_adc") or ""):
            rails.setdefault(name, {})[unit] = float(value)
        powers = [rail["A"] * rail["V"] for rail in rails.values() if len(rail) == 2]
        return sum(powers) if powers else None

    return None if read() is None else read


def _rapl(root: Path) -> Callable[[], float | None] | None:
    """Watts of the processor's packages, as the mean since the reading before; root alone may read most of them."""
    zones = [zone for zone in sorted(root.glob("sys/class/powercap/intel-rapl:[0-9]*")) if zone.name.count(":") == 1]
    zones = [zone for zone in zones if (text_of(zone / "name") or "").startswith("package")]

    def counters() -> list[int] | None:
        found = [text_of(zone / "energy_uj") for zone in zones]
        return [int(text) for text in found if text] if found and None not in found else None

    before: tuple[float, list[int] | None] = (time.time(), counters())

    def read() -> float | None:
        nonlocal before
        (began, old), (now, new) = before, (time.time(), counters())
        before = now, new
        if old is None or new is None or now <= began:
            return None
        used = [count - last for count, last in zip(new, old)]
        ranges = [int(text_of(zone / "max_energy_range_uj") or 0) for zone in zones]
        return sum(count if count >= 0 else count + whole for count, whole in zip(used, ranges)) / 1e6 / (now - began)

    return None if before[1] is None else read


def _seconds(text: str) -> float:
    """A time in seconds since 1970."""
    try:
        return float(text)
    except ValueError:
        found = datetime.datetime.fromisoformat(text.strip().replace("Z", "+00:00"))
        return found.timestamp()
