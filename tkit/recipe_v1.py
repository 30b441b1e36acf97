"""Recipes of version 1, which knew one task: their values as version 2 has them. They are read, not written.

Run folders and checkpoints hold them, so that what was begun then goes on.
"""

from __future__ import annotations

from typing import Any

MOVED = {"fit.label_smoothing": "task.label_smoothing"}
"""By a key's place in version 1, its place in version 2."""


def upgraded(values: Any) -> Any:
    """The values of a recipe's JSON, or of the part of one that training depends on, in version 2."""
    if not isinstance(values, dict) or values.get("version", 1) != 1 or not isinstance(values.get("fit"), dict):
        return values
    fit = dict(values["fit"])
    task = {"kind": "classification"}
    if "label_smoothing" in fit:
        task["label_smoothing"] = fit.pop("label_smoothing")
    return {**values, "version": 2, "task": task, "fit": fit}
