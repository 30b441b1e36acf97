"""Every measure that recorded figures may be of, which of them some figures have, and their drop as text."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tkit_edge.outputs import Measure
from tkit_edge.outputs.classes import Classes
from tkit_edge.outputs.number import Number

AGREEMENT = Measure("agreement", share=True, higher_is_better=True)
"""Of outputs of which nothing is known to be right, with those of another model."""
DISTANCE = Measure("distance", share=False, higher_is_better=False)
"""Of made images from real ones."""
_KNOWN = (Classes.measure, Number.measure, DISTANCE, AGREEMENT)


def measure_of(figures: Mapping[str, Any]) -> Measure | None:
    """The measure whose value is among `figures`; agreement only where there is no other."""
    return next((measure for measure in _KNOWN if measure.key in figures), None)


def drop_text(figures: Mapping[str, Any]) -> str:
    """The `drop` of a score in hundredths, with its 95 % interval; "-" where nothing is known to be right."""
    if figures.get("drop") is None:
        return "-"
    low, high = figures["drop_interval"]
    return f"{100 * figures['drop']:+.2f} ({100 * low:+.2f} to {100 * high:+.2f})"
