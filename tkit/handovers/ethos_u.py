"""The file that an Arm Ethos-U NPU runs: an exported file, compiled by vela, and vela's estimate of it."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

from pydantic import field_validator

from tkit import files
from tkit.handovers import Handover, Source
from tkit.micro import vela
from tkit_edge.bundle import DEFAULT_FORMAT


class EthosU(Handover):
    """`model-<file>_vela.tflite`, for TFLite Micro with Arm's Ethos-U kernel, and `summary.csv`, vela's figures."""

    kind: Literal["ethos_u"] = "ethos_u"
    accelerator: str = vela.DEFAULT_ACCELERATOR
    """The NPU and its multiply-accumulates per cycle, such as `ethos-u55-256`."""
    system_config: str | None = None
    """A section of vela.ini: clock and bandwidths, such as `Ethos_U55_Deep_Embedded`; vela's choice by default."""
    memory_mode: str | None = None
    """The same: which memory holds what, such as `Sram_Only`."""
    file: str = DEFAULT_FORMAT
    """The exported format that is compiled; `int16x8` is the other one that an NPU runs."""

    _known = field_validator("accelerator")(vela.known_accelerator)

    def write(self, source: Source, folder: Path) -> dict[str, Any]:
        """`Handover.write`."""
        path = source.file or self._path(source)
        made = vela.compiled(path, self.accelerator, self.system_config, self.memory_mode)
        files.write_bytes(folder / f"{path.stem}_vela.tflite", made.data)
        files.write_bytes(folder / "summary.csv", made.summary.encode())
        return {"line": f"{path.name} for {self.accelerator}: {made.line()}", **made.facts(), **made.figures()}

    def _path(self, source: Source) -> Path:
        assert source.bundle is not None  # or a file
        return source.bundle.path(self.file)
