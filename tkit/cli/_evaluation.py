"""An evaluation as text."""

from __future__ import annotations

import importlib
from typing import Any

from tkit_edge.text import counted


def text(result: dict[str, Any], width: int | None = None) -> str:
    """The figures of `tkit.evaluate` in a few lines, as the kind of output has them.

    `width` is the terminal's; columns that don't fit are left out.
    """
    measured = counted(result["samples"], f"{result['split']} {result['example']}")
    mirrored = ", each averaged with its mirror image" if result["mirror"] else ""
    report = importlib.import_module(f"tkit.evaluation.{result['output']}")
    lines = [f"{result['model']['file']} on {measured} of {result['data']}{mirrored}", *report.lines(result, width)]
    return "\n".join([*lines, "", f"{result['folder']}: evaluate.json and plots"] if result["folder"] else lines)
