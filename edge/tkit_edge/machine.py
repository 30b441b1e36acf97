"""What a measurement ran on: processor, cores, memory, governor."""

from __future__ import annotations

import os
import platform
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

BUSY_SHARE = 0.5
"""Of the cores: the load average above which a machine is busy."""


def cores() -> int:
    """The processor cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):  # Linux; it knows of taskset and of containers' cpusets
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def load_average() -> float | None:
    """How many processes wanted a core in the last minute; None where the system doesn't tell."""
    return round(os.getloadavg()[0], 2) if hasattr(os, "getloadavg") else None


def busy(found: Mapping[str, Any]) -> str | None:
    """A warning where so much else ran, when `describe` gave `found`, that latencies come out high."""
    load, cores = found["load_average"], found["cores"]
    if load is None or load <= BUSY_SHARE * cores:
        return None
    return f"The machine was busy (load average {load} on {cores} cores): latencies come out high."


def describe() -> dict[str, str | int | float | None]:
    """Processor, board and governor (None where there is none), cores, system, memory in bytes, load average."""
    found = re.search(r"^model name\s*:\s*(.+)$", _text("/proc/cpuinfo") or "", re.MULTILINE)
    return {
        "cpu": found.group(1) if found else platform.processor() or platform.machine(),
        "board": _text("/proc/device-tree/model"),
        "cores": cores(),
        "arch": platform.machine(),
        "system": f"{platform.system()} {platform.release()}",
        "governor": _text("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor"),
        "memory": os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"),
        "load_average": load_average(),
    }


def _text(path: str) -> str | None:
    try:
        return Path(path).read_text(encoding="utf-8", errors="replace").strip("\0\n ") or None
    except OSError:
        return None
