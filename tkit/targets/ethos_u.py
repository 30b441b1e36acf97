"""An Arm Ethos-U NPU, by its compiler's estimate: operators, cycles, time and memory; nothing runs."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

from pydantic import field_validator

from tkit.bench_config import Bench
from tkit.micro import vela
from tkit.targets._files import FileTarget, ModelFile
from tkit_edge import check
from tkit_edge.report import VERSION


class EthosU(FileTarget):
    """An Ethos-U NPU; what it costs depends on the memory beside it, of which vela has Arm's own descriptions."""

    preferred = ("int8", "int16x8")
    kind: Literal["ethos_u"] = "ethos_u"
    accelerator: str = vela.DEFAULT_ACCELERATOR
    """The NPU and its multiply-accumulates per cycle, such as `ethos-u55-256`."""
    system_config: str | None = None
    """A section of vela.ini, such as `Ethos_U55_Deep_Embedded`: clock and bandwidths; vela's choice by default."""
    memory_mode: str | None = None
    """The same, such as `Sram_Only`: which memory holds what."""

    _known = field_validator("accelerator")(vela.known_accelerator)

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
            "files of other formats than int8 and int16x8: an NPU computes in integers",
            "measured latency: cycles and time are vela's estimate, without the operators that are left to the CPU",
        )

    def check(self, bundle: Path) -> dict[str, Any]:
        """`Target.check`: whether the files compile; `files`, the compared outputs, is empty."""
        found, errors = self.each(bundle, (), lambda file: (file.format, self._compiled(file)))
        lines = [f"whether the outputs of {fmt} are the same; it compiles, {made.line()}" for fmt, made in found]
        document = {"kind": "check", "version": check.VERSION, "bundle": str(bundle), "ok": True, "files": []}
        return self.told(document, [*lines, *errors], **found[0][1].facts())

    def bench(self, subject: Path, settings: Bench, test: Path | None = None) -> dict[str, Any]:
        """`Target.bench`: vela's estimate."""
        made, errors = self.each(subject, settings.formats, lambda file: (file, self._compiled(file)))
        rows = [{**file.facts(), **found.figures(), "note": found.line()} for file, found in made]
        return self.told({"kind": "bench", "version": VERSION, "results": rows}, errors, **made[0][1].facts())

    def _compiled(self, file: ModelFile) -> vela.Compiled:
        return vela.compiled(file.path, self.accelerator, self.system_config, self.memory_mode)
