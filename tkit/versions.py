"""The versions that results depend on."""

from __future__ import annotations

import platform
from importlib.metadata import version


def own() -> str:
    """tkit's version."""
    return version("keras-tkit")


def versions() -> dict[str, str]:
    """The versions of Python and of the packages that results depend on."""
    names = ("tensorflow", "keras", "ai-edge-litert", "numpy")
    return {"tkit": own(), "python": platform.python_version(), **{name: version(name) for name in names}}
