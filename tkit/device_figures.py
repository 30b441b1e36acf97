"""What devices tell of a .tflite file: names, and how they are shown."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple


class Figure(NamedTuple):
    """One figure; less of it is better."""

    name: str
    unit: str
    text: Callable[[Any], str]

    @property
    def label(self) -> str:
        """The head of its column."""
        return f"{self.name} {self.unit}".strip()

    def change(self, before: float, after: float) -> str:
        """One value after another: `flash 43.64 -> 17.17 KiB`."""
        return f"{self.name} {self.text(before)} -> {self.text(after)} {self.unit}".strip()


def _kib(value: float) -> str:
    return f"{value / 1024:,.2f}"


FIGURES = {
    "p50_ms": Figure("p50", "ms", "{:.3f}".format),
    "estimated_ms": Figure("estimated", "ms", "{:.3f}".format),
    "cycles": Figure("cycles", "", "{:,.0f}".format),
    "instructions": Figure("instructions", "", "{:,.0f}".format),
    "peak_memory": Figure("peak", "MB", lambda value: f"{value / 1e6:.1f}"),
    "arena_bytes": Figure("arena", "KiB", _kib),
    "stack_bytes": Figure("stack", "bytes", "{:,.0f}".format),
    "sram_bytes": Figure("SRAM", "KiB", _kib),
    "flash_bytes": Figure("flash", "KiB", _kib),
    "dram_bytes": Figure("DRAM", "KiB", _kib),
}
"""By their keys in a row of a measurement. A device tells some; the others are None there, or missing."""


def facts_line(device: Mapping[str, Any]) -> str:
    """A document's `device` in words, beside its kind and name: what really ran a file, or compiled it."""
    return ", ".join(f"{key.replace('_', ' ')} {value}" for key, value in device.items() if key not in ("kind", "name"))
