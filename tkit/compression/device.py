"""What a compression's int8 files cost on a device: the ledger's columns of it, and its verdicts."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from tkit import console
from tkit.bench_config import Bench, Budget
from tkit.device_figures import FIGURES, facts_line
from tkit.targets import Target
from tkit_edge.errors import InputError

NOTICEABLE = 0.05
"""Share of a figure below which a step is reported to change nothing."""
_VERDICT = tuple(key for key in FIGURES if key != "cycles")
"""The figures of verdicts; cycles are the estimated time in another unit."""


class Device:
    """A target, and what it tells of one file after the other.

    Args:
        name: what the ledger calls it.
        target: the device.
        settings: how files are measured where it runs them.
    """

    def __init__(self, name: str, target: Target, settings: Bench) -> None:
        self.name, self.target = name, target
        self.facts: dict[str, Any] = {}
        """The `device` of its last document."""
        self._settings = settings.model_copy(update={"formats": (), "budget": Budget()})

    def figures(self, data: bytes) -> dict[str, float]:
        """The figures of a .tflite file, by the keys of `FIGURES`; of several configurations the fastest's.

        Raises:
            InputError: it can't be reached, or can't run the file. After its first file, that is only a warning: what
                was trained meanwhile isn't to be lost.
        """
        with tempfile.TemporaryDirectory(prefix="tkit-ledger-") as scratch:
            path = Path(scratch) / "model-int8.tflite"
            path.write_bytes(data)
            try:
                document = self.target.bench(path, self._settings)
            except InputError as error:
                if not self.facts:
                    raise
                console.say(f"Warning: no figures from {self.name}: {error}")
                return {}
        self.facts = {**document["device"], "name": self.name}
        row = min(document["results"], key=lambda row: row.get("p50_ms") or 0.0)
        return {key: row[key] for key in FIGURES if row.get(key) is not None}

    def verdict(self, before: Mapping[str, float], after: Mapping[str, float]) -> str:
        """What a step gains there, and what it costs."""
        changes = {key: after[key] / before[key] - 1 for key in _VERDICT if before.get(key) and key in after}
        less = [FIGURES[key].change(before[key], after[key]) for key, change in changes.items() if change < -NOTICEABLE]
        more = [FIGURES[key].change(before[key], after[key]) for key, change in changes.items() if change > NOTICEABLE]
        parts = [
            *([f"pays on {self.name}: {', '.join(less)}"] if less else [f"no cheaper on {self.name}"]),
            *([f"costs there: {', '.join(more)}"] if more else []),
        ]
        return "; ".join(parts)

    def summary(self, rows: Sequence[Mapping[str, Any]]) -> list[str]:
        """What the steps gain together, and what ran or compiled the files."""
        lines = [f"{self.name}: {facts_line(self.facts)}."] if facts_line(self.facts) else []
        if len(rows) > 2:
            lines.insert(0, f"All steps together: {self.verdict(rows[0]['device'], rows[-1]['device'])}.")
        return lines
