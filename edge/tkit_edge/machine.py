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
_ARM_PARTS = {
    0xD03: "Cortex-A53",
    0xD04: "Cortex-A35",
    0xD05: "Cortex-A55",
    0xD07: "Cortex-A57",
    0xD08: "Cortex-A72",
    0xD09: "Cortex-A73",
    0xD0A: "Cortex-A75",
    0xD0B: "Cortex-A76",
    0xD0C: "Neoverse-N1",
    0xD0D: "Cortex-A77",
    0xD40: "Neoverse-V1",
    0xD41: "Cortex-A78",
    0xD44: "Cortex-X1",
    0xD46: "Cortex-A510",
    0xD47: "Cortex-A710",
    0xD49: "Neoverse-N2",
    0xD4D: "Cortex-A715",
    0xD80: "Cortex-A520",
    0xD81: "Cortex-A720",
}
"""By the part number in /proc/cpuinfo; source: arch/arm64/include/asm/cputype.h of Linux."""


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


def describe(root: str | Path = "/") -> dict[str, str | int | float | None]:
    """Processor, board and governor (None where there is none), cores, system, memory in bytes, load average.

    Args:
        root: where /proc and /sys are; tests have folders of their own.
    """
    root = Path(root)
    return {
        "cpu": _processor(text_of(root / "proc/cpuinfo") or ""),
        "board": text_of(root / "proc/device-tree/model"),
        "cores": cores(),
        "arch": platform.machine(),
        "system": f"{platform.system()} {platform.release()}",
        "governor": text_of(root / "sys/devices/system/cpu/cpu0/cpufreq/scaling_governor"),
        "memory": os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"),
        "load_average": load_average(),
    }


def text_of(path: Path) -> str | None:
    """The text of one of Linux's small files; None where there is none, it is empty, or it can't be read."""
    try:
        return path.read_text(encoding="utf-8", errors="replace").strip("\0\n ") or None
    except OSError:
        return None


def _processor(cpuinfo: str) -> str:
    """The processor's name; of an ARM one, which Linux has only numbers of, the names of its kinds of cores."""
    found = re.search(r"^model name\s*:\s*(.+)$", cpuinfo, re.MULTILINE)
    if found:
        return found.group(1)
    if re.search(r"^CPU implementer\s*:\s*0x41$", cpuinfo, re.MULTILINE):  # Arm's own designs
        parts = dict.fromkeys(re.findall(r"^CPU part\s*:\s*(0x[0-9a-f]+)$", cpuinfo, re.MULTILINE))
        return " + ".join(_ARM_PARTS.get(int(part, 16), f"ARM part {part}") for part in parts)
    return platform.processor() or platform.machine()
