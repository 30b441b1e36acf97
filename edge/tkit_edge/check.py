"""Does this device compute what the exporting machine computed? The golden samples of a bundle, run here.

Runtimes, versions and kernels round differently, so outputs needn't be equal: the bundle's kind of output judges which
differences matter.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from tkit_edge.bundle import Bundle, Golden
from tkit_edge.inputs import Input
from tkit_edge.isolated import IsolatedModel
from tkit_edge.outputs import Outcome
from tkit_edge.runtime import where
from tkit_edge.tensors import Runner, bound

VERSION = 1
"""Of the JSON document."""


@dataclass(frozen=True)
class Checked:
    """What one file did on the golden samples."""

    format: str
    outcome: Outcome

    @property
    def failed(self) -> tuple[int, ...]:
        """The samples with another answer."""
        return self.outcome.failed

    def line(self) -> str:
        """The outcome in one line."""
        found = self.outcome
        verdict = f"FAILED on samples {', '.join(map(str, found.failed))}" if found.failed else "ok"
        figures = [
            f"{value:.0f}" if found.unit == "steps" else f"{value:.2%}"
            for value in (found.max_difference, found.tolerance)
        ]
        return (
            f"{self.format:<8} same {found.answer} on {found.same} of {found.samples}, largest difference "
            f"{figures[0]} {found.unit} (tolerance {figures[1]}): {verdict}"
        )

    def as_json(self) -> dict[str, Any]:
        """The outcome's values; JSON has no infinity."""
        values = asdict(self.outcome)
        name = f"same_{values.pop('answer').replace('-', '')}"
        finite = math.isfinite(self.outcome.max_difference)
        same = values.pop("same")
        return {
            "format": self.format,
            **values,
            name: same,
            "max_difference": self.outcome.max_difference if finite else None,
        }


def check(bundle: Bundle) -> list[Checked]:
    """Runs the golden samples through each file of a bundle.

    Raises:
        InputError: a damaged golden file or model, or a model that doesn't fit the bundle.
    """
    golden = bundle.golden()
    found = []
    for fmt in golden.expected:
        with IsolatedModel(bundle.path(fmt)) as model:
            found.append(check_file(bundle, fmt, golden, model))
    return found


def check_file(bundle: Bundle, fmt: str, golden: Golden, model: Runner) -> Checked:
    """Runs the golden samples through one file of a bundle.

    Args:
        bundle: the bundle.
        fmt: the file's format.
        golden: the bundle's golden samples.
        model: the file, loaded.

    Raises:
        InputError: the file can't be run, or doesn't fit the bundle.
    """
    outputs = bound(model, bundle.input.tensors, bundle.output.tensors)(golden.inputs)
    scales = {facts.name: facts.scale for facts in bundle.models[fmt].outputs}
    return Checked(fmt, bundle.output.compared(golden.expected[fmt], outputs, scales))


@dataclass(frozen=True)
class Inputs:
    """How the golden samples' files read here."""

    input: Input
    samples: int
    differing: tuple[int, ...]
    """Those that don't read as the very sample that was stored."""
    max_difference: float
    """Of any value."""
    failed: tuple[int, ...]
    """Those that differ by more than another decoder's rounding explains."""

    def line(self) -> str:
        """The outcome in one line."""
        read = self.samples - len(self.differing)
        text = f"{self.input.example}s {read} of {self.samples} read as expected"
        if self.differing:
            text += f"; largest difference {self.input.apart(self.max_difference)}"
        return f"{text}: FAILED on samples {', '.join(map(str, self.failed))}" if self.failed else f"{text}: ok"

    def as_json(self) -> dict[str, Any]:
        """The outcome's values."""
        return {
            "samples": self.samples,
            "differing": self.differing,
            "max_difference": self.max_difference,
            "failed": self.failed,
        }


def document(bundle: Bundle, outcomes: Sequence[Checked], read: Inputs | None) -> dict[str, Any]:
    """What was checked as JSON values; `read` is None where the inputs couldn't be decoded here."""
    return {
        "kind": "check",
        "version": VERSION,
        **where(),
        "bundle": str(bundle.folder),
        "ok": not any(item.failed for item in outcomes) and not (read and read.failed),
        "files": [item.as_json() for item in outcomes],
        f"{bundle.input.example}s": read.as_json() if read else None,
    }


def check_inputs(bundle: Bundle) -> Inputs:
    """Reads the golden samples' files and compares them with what the exporting machine read.

    Raises:
        InputError: what reading needs is not installed, or a file is missing or damaged.
    """
    differing, failed, largest = [], [], 0.0
    golden = bundle.golden().inputs
    for number in range(bundle.golden_file.samples):
        path = bundle.encoded(number)
        expected = {name: array[number] for name, array in golden.items()}
        difference, too_far = bundle.input.difference(expected, bundle.input.read(path), path.suffix)
        largest = max(difference, largest)
        if difference:
            differing.append(number)
        if too_far:
            failed.append(number)
    return Inputs(bundle.input, bundle.golden_file.samples, tuple(differing), largest, tuple(failed))
