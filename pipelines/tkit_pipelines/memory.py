"""How much memory examples may take: past it they stay where they are, images in the cache on disk."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np

from tkit_edge.errors import InputError
from tkit_pipelines.dataset import Examples

UNKNOWN = 8 << 30
"""Taken for the machine's memory where it can't be found out (Windows)."""


def machine_memory() -> int:
    """The machine's memory in bytes, or the container's where that has a limit."""
    if not hasattr(os, "sysconf"):
        return UNKNOWN
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    for limit in ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"):
        try:
            memory = min(memory, int(Path(limit).read_text()))
        except (OSError, ValueError):  # no such file, or "max"
            continue
    return memory


def ram_budget() -> int:
    """Bytes of examples that are held in memory: `TKIT_RAM` in GiB, else half of the machine's memory."""
    chosen = os.environ.get("TKIT_RAM")
    if not chosen:
        return machine_memory() // 2
    try:
        gib = float(chosen)
    except ValueError:
        gib = -1.0
    if not 0 <= gib < float("inf"):
        raise InputError(f"TKIT_RAM={chosen}: expected a number of GiB, such as 4 or 0.5.")
    return int(gib * 2**30)


class Budget:
    """What is left of the RAM budget."""

    def __init__(self) -> None:
        self.left = ram_budget()

    def place(self, examples: Examples, indices: np.ndarray) -> Examples:
        """The examples at `indices`: in memory where the budget has room, else where they are."""
        large = (column for column in examples.columns.values() if column.ndim > 1)  # a view copies the others
        size = len(indices) * sum(int(np.prod(column.shape[1:])) * column.dtype.itemsize for column in large)
        if size > self.left:
            return examples.view(indices)
        self.left -= size
        return examples.take(indices)
