"""The cache of decoded images: what it holds, and clearing it."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import NamedTuple

from tkit_pipelines import cache as store


class Cache(NamedTuple):
    """What the cache holds."""

    folder: Path
    free: int
    """Bytes that its disk has left."""
    freed: int
    """Bytes that were deleted now."""
    entries: list[store.Held]
    """One per source and size, the largest first."""


def cache(*, clear: bool = False) -> Cache:
    """What tkit keeps on disk to be quicker: decoded images, which can be made again.

    Args:
        clear: delete all of it first, but for what another process is writing.

    Raises:
        InputError: something can't be deleted.

    Example:
        >>> tkit.cache(clear=True).entries
        []
    """
    freed = store.clear() if clear else 0
    folder = store.cache_dir()
    there = next(parent for parent in (folder, *folder.parents) if parent.exists())
    return Cache(folder, shutil.disk_usage(there).free, freed, store.held())
