"""Kinds by file name: the class that a JSON object's `kind` names."""

from __future__ import annotations

import importlib
import pkgutil
from typing import Any

from tkit_edge.errors import InputError
from tkit_edge.fields import Fields


def kind_of(fields: Fields, package: str) -> Any:
    """The class of the kind that `fields` names: only files of `package` are looked up."""
    kind = fields.get("kind", str)
    root = importlib.import_module(package)
    known = sorted(info.name for info in pkgutil.iter_modules(root.__path__) if not info.ispkg)
    if kind not in known:
        raise InputError(
            f"{fields.file}: {fields.place}kind is {kind!r}, this tkit-edge knows {', '.join(known)}. Update tkit-edge."
        )
    module = importlib.import_module(f"{package}.{kind}")
    return next(value for value in vars(module).values() if getattr(value, "kind", None) == kind)
