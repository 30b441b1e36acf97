"""The ledger: what each compression step gained, and what it didn't."""

from __future__ import annotations

import tempfile
from contextlib import ExitStack
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np

from tkit._quiet import chatter_dropped
from tkit.compression import ledger_table
from tkit.compression.cost import ALLOWED
from tkit.compression.device import Device
from tkit.compression.workbench import Workbench
from tkit.conversion.converter import Converter, file_outputs
from tkit.conversion.quantized import converted
from tkit.kernels.exported import kernels
from tkit.kernels.viewed import kernel_of, with_kernels
from tkit.promises import State
from tkit_edge import anatomy, flatbuffer
from tkit_edge.outputs import Measure
from tkit_edge.outputs.classes import Classes
from tkit_edge.runtime import Model
from tkit_edge.table import aligned
from tkit_edge.tensors import Arrays, bound
from tkit_edge.worker import Worker

ROUNDS, SECONDS = 5, 0.2
NOTICEABLE = 0.05
"""Share of latency or size below which a step is reported to gain nothing."""
LARGE = 0.05
"""Accuracy drop of the whole compression above which a warning is printed."""


class Ledger:
    """One row for the model before compression, and one per step.

    The score is the int8 file's on validation data: rows are used to choose, and the test data measures once, in
    `bench`. It is the run's `Workbench.scoring`: where nothing is known to be right and no ruler measures a set, the
    share of answers that are as good as the first row's.

    Args:
        work: what the rows are measured with.
        device: where the int8 files cost something too.
    """

    def __init__(self, work: Workbench, device: Device | None = None) -> None:
        self.work, self.device = work, device
        self.rows: list[dict[str, Any]] = []
        self._files: list[bytes] = []
        self._first: Arrays = {}
        self._measure = work.scoring.measure

    def add(self, label: str, state: State, cost: float = 0.0) -> None:
        """Exports a step's model, and records the files' contents and the int8 file's accuracy.

        Args:
            label: the step's, or that of the variant before compression.
            state: the step's result.
            cost: the accuracy that it cost, as `cost.cost` judges it.
        """
        examples = self.work.calibration(self.work.export.calibration_samples)
        output = self.work.contract.output
        with Converter(state.model, examples, io="int8", outputs=file_outputs(output)) as convert:
            sparse = self.work.export.sparse
            int8, float32 = (converted(convert, fmt, state.kept, sparse=sparse) for fmt in ("int8", "float32"))
        outputs, targets = self._outputs(int8), self.work.targets(self.work.splits.validation)
        self._first = self._first or outputs
        score = self.work.scoring.score(outputs, self._first, targets)
        drop, interval = self.work.scoring.drop(self._first, outputs, targets)
        found = anatomy.dissect(int8)
        parts = kernels(flatbuffer.read(int8), state.model)
        weights = [np.asarray(kernel_of(layer)) for layer in with_kernels(state.model)]
        self.rows.append(
            {
                "step": label,
                "parameters": state.model.count_params(),
                "nonzero": int(sum(np.count_nonzero(kernel) for kernel in weights)),
                "weights": int(sum(kernel.size for kernel in weights)),
                "macs": found.macs,
                "bytes": len(int8),
                "zip_bytes": found.zip_bytes,
                "float32_bytes": len(float32),
                "float32_zip_bytes": anatomy.dissect(float32).zip_bytes,
                "codes": {name: len(np.unique(kernel.matrix)) for name, (kernel, *_) in parts.items()},
                self._measure.key: score.value,
                "interval": list(score.interval),
                "drop": drop,
                "drop_interval": list(interval),
                "samples": score.samples,
                "cost": cost,
                **({} if self.device is None else {"device": self.device.figures(int8)}),
            }
        )
        self._files.append(int8)

    def _outputs(self, int8: bytes) -> Arrays:
        """What an int8 file gives for validation data."""
        contract = self.work.contract
        with chatter_dropped():
            run = bound(Model(int8), contract.input.tensors, contract.output.tensors)
            return run(self.work.inputs(self.work.splits.validation))

    def measure(self) -> None:
        """Each int8 file's latency, in interleaved rounds: one thread, XNNPACK; the median of the rounds' medians in
        ms."""
        with ExitStack() as stack:
            scratch = stack.enter_context(tempfile.TemporaryDirectory(prefix="tkit-ledger-"))
            workers = []
            for number, data in enumerate(self._files):
                path = Path(scratch) / f"{number}.tflite"
                path.write_bytes(data)
                workers.append(stack.enter_context(Worker(path, 1, "xnnpack", timeout=60.0)))
            for worker in workers:
                worker.ask("load")
            times: list[list[float]] = [[] for _ in workers]
            for _ in range(ROUNDS):
                for worker, found in zip(workers, times, strict=True):
                    found.append(median(worker.run(seconds=SECONDS, runs=20)) / 1e6)
        for row, found in zip(self.rows, times, strict=True):
            row["p50_ms"] = median(found)
            row["speedup"] = median(first / own for first, own in zip(times[0], found, strict=True))

    def as_json(self) -> dict[str, Any]:
        """The rows, the verdicts and, where there is a device, what it is."""
        device = {} if self.device is None else {"device": self.device.facts}
        return {"ledger": self.rows, "verdicts": self.verdicts(), **device}

    def text(self, width: int | None = None) -> str:
        """The rows as a table, with the columns that fit `width`, and a sentence per step on what it gained."""
        rows = ledger_table.table(self.rows, self._measure)
        return "\n".join([*aligned(rows, width=width, spare=ledger_table.SPARE), "", *self.verdicts()])

    def verdicts(self) -> list[str]:
        """One sentence per step, compared with the row before it."""
        lines = []
        for before, row in zip(self.rows, self.rows[1:], strict=False):
            faster = row["speedup"] / before["speedup"]
            parts = [
                f"{faster:.2f} times as fast" if abs(faster - 1) > NOTICEABLE else "no faster on this runtime",
                _smaller(before["bytes"], row["bytes"], "int8 file"),
                _smaller(before["zip_bytes"], row["zip_bytes"], "its zip"),
                _smaller(before["float32_bytes"], row["float32_bytes"], "float32 file"),
            ]
            there = "" if self.device is None else f"; {self.device.verdict(before['device'], row['device'])}"
            lines.append(f"{row['step']}: {', '.join(parts)}{there}.")
        if self.device is not None:
            lines += self.device.summary(self.rows)
        first = self.rows[0]
        lines += self.warnings()
        lines.append(
            f"{self._measure.name.capitalize()}: the int8 file's on {first['samples']} validation "
            f"{self.work.contract.input.example}s; drop in {self._measure.points} against {first['step']}, with its "
            "95 % interval."
        )
        return lines

    def warnings(self) -> list[str]:
        """One sentence per step that costs too much, and one where the whole drop is, or may be, large."""
        last = self.rows[-1]
        found = [self._too_much(row) for row in self.rows[1:] if row["cost"] > ALLOWED]
        large = max(last["drop"], last["drop_interval"][1]) > LARGE
        return [*found, *([_large(last, self._measure)] if large else [])]

    def _too_much(self, row: dict[str, Any]) -> str:
        teacher = " or teacher=self" if isinstance(self.work.contract.output, Classes) else ""
        return (
            f"Warning: {row['step']} costs {self._measure.cost(row['cost'])} on training and "
            f"validation data, more than {100 * ALLOWED:g}. Ask less of it, give it more epochs{teacher}, or "
            "more training data."
        )


def _large(row: dict[str, Any], measure: Measure) -> str:
    if row["drop"] > LARGE:
        return f"Warning: after {row['step']} the drop is {measure.cost(row['drop'])}, more than {100 * LARGE:g}."
    return (
        f"Warning: {row['samples']} validation examples can't exclude a drop of more than {100 * LARGE:g} "
        f"{measure.points} after {row['step']}. `tkit bench` measures on the test data."
    )


def _smaller(before: int, after: int, what: str) -> str:
    share = 1 - after / before
    if abs(share) < NOTICEABLE:
        return f"{what} no smaller"
    return f"{what} {abs(share):.0%} {'smaller' if share > 0 else 'larger'}"
