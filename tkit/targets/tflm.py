"""TFLite Micro, the runtime of microcontrollers, on this machine: outputs, score and memory, but no latency."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

import numpy as np

from tkit.bench_config import Bench
from tkit.micro.tflm import KERNELS, TflmModel, version
from tkit.targets._files import FileTarget, ModelFile
from tkit_edge import check as edge_check
from tkit_edge import predict as edge_predict
from tkit_edge.bundle import Bundle
from tkit_edge.isolated import IsolatedModel
from tkit_edge.judge import Judge
from tkit_edge.report import VERSION
from tkit_edge.runtime import where
from tkit_edge.score import scored
from tkit_edge.tensors import Runner, bound

TEST_EXAMPLES = 1000
"""Evenly spread ones are scored, at most: reference kernels are slow on large models."""


class Tflm(FileTarget):
    """TFLite Micro with its reference kernels, with which those of microcontrollers agree."""

    kind: Literal["tflm"] = "tflm"

    @property
    def cannot(self) -> tuple[str, ...]:
        """`Target.cannot`."""
        return (
            "latency on a microcontroller: this machine's processor runs the kernels",
            "the arena to the byte: the runtime's own structures have pointers half as long on 32 bits",
        )

    def check(self, bundle: Path) -> dict[str, Any]:
        """`Target.check`; a file's `reference_difference` is from LiteRT with the same kernels, on this machine."""
        read = Bundle.read(bundle)
        golden = read.golden()

        def checked(file: ModelFile) -> list[edge_check.Checked]:
            fmt = file.format
            assert fmt is not None  # of a bundle
            with IsolatedModel(file.path, kernels=KERNELS) as litert:
                same_kernels = bound(litert, read.input.tensors, read.output.tensors)(golden.inputs)
            with TflmModel(file.path) as model:
                wanted = (golden, replace(golden, expected={fmt: same_kernels}))
                return [edge_check.check_file(read, fmt, expected, model) for expected in wanted]

        outcomes, errors = self.each(bundle, (), checked)
        found = edge_check.document(read, [outcome for outcome, _ in outcomes], edge_check.check_inputs(read))
        for row, (_, same_kernels) in zip(found["files"], outcomes, strict=True):
            row["reference_difference"] = same_kernels.as_json()["max_difference"]
        return self.told(found, errors)

    def bench(self, subject: Path, settings: Bench, test: Path | None = None) -> dict[str, Any]:
        """`Target.bench`: the arena and the score."""

        def measured(file: ModelFile) -> dict[str, Any]:
            judge = file.judge(test)
            with TflmModel(file.path) as model:
                arena = model.arena()
                return {
                    **file.facts(),
                    "arena_bytes": arena.total,
                    "activation_bytes": arena.activations,
                    "score": None if judge is None else _score(model, judge),
                }

        rows, errors = self.each(subject, settings.formats, measured)
        return self.told({"kind": "bench", "version": VERSION, "results": rows}, errors)

    def predict(self, bundle: Path, items: Sequence[str], format: str | None, top: int | None) -> dict[str, Any]:
        """`Target.predict`."""
        read = Bundle.read(bundle)
        path = read.path(format or read.default_format)
        with TflmModel(path) as model:
            run = bound(model, read.input.tensors, read.output.tensors)
            found = edge_predict.predict(items, edge_predict.OpenedModel(run, read.input, read.output), top)
        return self.told(edge_predict.document(str(path), found), [])

    def told(self, found: dict[str, Any], errors: Sequence[str], **facts: Any) -> dict[str, Any]:
        """`FileTarget.told`, with what ran the files."""
        ran = {**where(), "runtime": {"name": "tflite-micro", "version": version()}}
        return super().told({**found, **ran}, errors, kernels=KERNELS)


def _score(model: Runner, judge: Judge) -> dict[str, Any]:
    """The score as `tkit-edge bench` has it."""
    assert judge.output.measure is not None  # Judge.of
    chosen = np.unique(np.linspace(0, judge.samples - 1, TEST_EXAMPLES).round().astype(int))
    grades = np.concatenate([judge.graded(model, number, number + 1) for number in chosen])
    return scored(judge.output.measure, grades).as_json()
