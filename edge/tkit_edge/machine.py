"""What a measurement ran on: processor, cores, memory, governor."""

from __future__ import annotations

import os
import platform
import re
from pathlib import Path


def cores() -> int:
    """The processor cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):  # Linux; it knows of taskset and of containers' cpusets
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def describe() -> dict[str, str | int | None]:
    """Processor, board and governor (None where there is none), cores, system, memory in bytes."""
    found = re.search(r"^model name\s*:\s*(.+)$", _text("/proc/cpuinfo") or "", re.MULTILINE)
    return {
        "cpu": found.group(1) if found else platform.processor() or platform.machine(),
        "board": _text("/proc/device-tree/model"),
        "cores": cores(),
        "arch": platform.machine(),
        "system": f"{platform.system()} {platform.release()}",
        "governor": _text("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor"),
        "memory": os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"),
    }


def _text(path: str) -> str | None:
    try:
        return Path(path).read_text(encoding="utf-8", errors="replace").strip("\0\n ") or None
    except OSError:
        return None
