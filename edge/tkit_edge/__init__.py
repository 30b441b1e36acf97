"""tkit_edge: the part of tkit that runs on the device, on the standard library, numpy and the LiteRT runtime.

from tkit_edge import Classifier

print(Classifier("export").predict("cat.jpg")[0])
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tkit_edge.bundle import Bundle as Bundle
    from tkit_edge.classifier import Classifier as Classifier

__version__ = "0.1.0"
__all__ = ["Bundle", "Classifier"]


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    import importlib

    return getattr(importlib.import_module(f"tkit_edge.{name.lower()}"), name)
