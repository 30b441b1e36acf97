"""An Arm Ethos-U NPU, by its compiler's estimate: operators, cycles, time and memory; nothing runs."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any, Literal

from pydantic import field_validator

from tkit.bench_config import Bench
from tkit.micro.vela import ACCELERATORS, Compiled, compiled, version
from tkit.targets._files import FileTarget
from tkit_edge import check
from tkit_edge.errors import InputError
from tkit_edge.report import VERSION
from tkit_edge.text import counted
from tkit_pipelines.config import did_you_mean

DEFAULT = "ethos-u55-128"


class EthosU(FileTarget):
    """An Ethos-U NPU; what it costs depends on the memory beside it, of which vela has Arm's own descriptions."""

    kind: Literal["ethos_u"] = "ethos_u"
    accelerator: str = DEFAULT
    """The NPU and its multiply-accumulates per cycle, such as `ethos-u55-256`."""
    system_config: str | None = None
    """A section of vela.ini, such as `Ethos_U55_Deep_Embedded`: clock and bandwidths; vela's choice by default."""
    memory_mode: str | None = None
    """The same, such as `Sram_Only`: which memory holds what."""

    @field_validator("accelerator")
    @classmethod
    def _known(cls, value: str) -> str:
        if value not in ACCELERATORS:
            raise InputError(f"Unknown Ethos-U NPU {value!r}.{did_you_mean(value, ACCELERATORS)}")
        return value

    @classmethod
    def fields_of(cls, address: str) -> dict[str, Any]:
        """`Target.fields_of`: the accelerator."""
        return {"accelerator": address} if address else {}

    @property
    def title(self) -> str:
        """`Target.title`."""
        return self.accelerator

    @property
    def cannot(self) -> tuple[str, ...]:
        """`Target.cannot`."""
        return (
            "outputs and score: nothing runs",
            "measured latency: cycles and time are vela's estimate, without the operators that are left to the CPU",
        )

    def check(self, bundle: Path) -> dict[str, Any]:
        """`Target.check`: whether the files compile; `files`, the compared outputs, is empty."""
        found, errors = self.each(bundle, lambda file: (file.format, self.compiled(file.path)))
        lines = [f"whether the outputs of {fmt} are the same; it compiles, {_operators(made)}" for fmt, made in found]
        document = {"kind": "check", "version": check.VERSION, "bundle": str(bundle), "ok": True, "files": []}
        return self.told(document, [*lines, *errors], **_facts(found[0][1]))

    def bench(self, subject: Path, settings: Bench, test: Path | None = None) -> dict[str, Any]:
        """`Target.bench`: vela's estimate."""
        made, errors = self.each(subject, lambda file: (file, self.compiled(file.path)), settings.formats)
        rows = [{**file.facts(), **_figures(found)} for file, found in made]
        return self.told({"kind": "bench", "version": VERSION, "results": rows}, errors, **_facts(made[0][1]))

    def compiled(self, path: Path) -> Compiled:
        """A file, compiled for this NPU.

        Raises:
            InputError: it can't be, or nothing of it runs on the NPU.
        """
        made = compiled(path, self.accelerator, self.system_config, self.memory_mode)
        if not made.on_npu:
            reasons = dict.fromkeys(item.reason for item in made.cpu)
            raise InputError(f"Nothing of {path} runs on the NPU: {'; '.join(reasons)}.")
        return made


def _figures(made: Compiled) -> dict[str, Any]:
    return {
        "compiled_bytes": len(made.data),
        "cycles": made.cycles,
        "estimated_ms": made.estimated_ms,
        "sram_bytes": made.sram_bytes,
        "flash_bytes": made.flash_bytes or None,
        "dram_bytes": made.dram_bytes or None,
        "operators": made.operators,
        "cpu_operators": [asdict(item) for item in made.cpu],
        "note": _operators(made),
    }


def _operators(made: Compiled) -> str:
    text = f"{made.on_npu} of {counted(made.operators, 'operator')} on the NPU"
    return f"{text}; on the CPU: {made.cpu_line()}" if made.cpu else text


def _facts(made: Compiled) -> dict[str, Any]:
    return {
        "compiler": f"ethos-u-vela {version()}",
        "accelerator": made.accelerator,
        "system_config": made.system_config,
        "memory_mode": made.memory_mode,
        "clock_mhz": made.clock_mhz,
    }
