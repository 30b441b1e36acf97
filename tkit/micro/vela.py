"""Compiling a .tflite file for an Ethos-U NPU with Arm's own compiler, PyPI's `ethos-u-vela`, in a process of its own.

What it tells is its estimate, for a system and a memory of which it has Arm's own descriptions; nothing runs.

Source: pypi.org/project/ethos-u-vela, its PERFORMANCE.md and OPTIONS.md.
"""

from __future__ import annotations

import csv
import importlib.metadata
import importlib.util
import re
import signal
import subprocess
import sys
import tempfile
from collections import Counter
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from tkit_edge import files, flatbuffer
from tkit_edge.errors import InputError
from tkit_edge.text import counted
from tkit_pipelines.config import did_you_mean

ACCELERATORS = (
    *("ethos-u55-32", "ethos-u55-64", "ethos-u55-128", "ethos-u55-256"),
    *("ethos-u65-256", "ethos-u65-512"),
    *("ethos-u85-128", "ethos-u85-256", "ethos-u85-512", "ethos-u85-1024", "ethos-u85-2048"),
)
"""What vela compiles for: the NPU and its multiply-accumulates per cycle."""
DEFAULT_ACCELERATOR = "ethos-u55-128"
NPU = "CUSTOM:ethos-u"
"""The operator that stands for everything that the NPU runs, in a compiled file."""
TIMEOUT = 600.0  # seconds
_KIB = 1024
_UNSUPPORTED = re.compile(
    r"operator: \w+, ofm: '(?P<tensor>.*)'\n\s*Reason: (?P<reason>.*?)(?: \([^()]*\))?\n"  # without a tensor's name
)


@dataclass(frozen=True)
class CpuOperator:
    """An operator that is left to the CPU."""

    name: str
    reason: str
    """In vela's words; empty where it gives none."""


@dataclass(frozen=True)
class Compiled:
    """A file that was compiled, and vela's estimate of it."""

    data: bytes
    """The compiled .tflite file: what runs on the device."""
    summary: str
    """vela's own table of figures, CSV."""
    accelerator: str
    system_config: str
    memory_mode: str
    clock_mhz: int
    operators: int
    """Of the file that was compiled."""
    cpu: tuple[CpuOperator, ...]
    """Those of them that are left to the CPU."""
    cycles: int
    """Of the NPU, for one run; waiting for memory counts, the CPU's operators don't."""
    estimated_ms: float
    """The same in ms, at the clock's frequency."""
    sram_bytes: int
    """Static RAM beside the NPU."""
    flash_bytes: int
    """Flash, on the chip and off it: weights as they are compressed for the NPU, and constants of the CPU's operators.

    The whole compiled file, `data`, has the NPU's commands too."""
    dram_bytes: int
    """Dynamic RAM; a system that has it reads weights from there, and none from flash."""

    @property
    def on_npu(self) -> int:
        """Operators of the file that run on the NPU."""
        return self.operators - len(self.cpu)

    def line(self) -> str:
        """Which operators run where, with vela's reasons."""
        left = [
            f"{f'{count} ' if count > 1 else ''}{item.name}{f' ({item.reason})' if item.reason else ''}"
            for item, count in Counter(self.cpu).items()
        ]
        text = f"{self.on_npu} of {counted(self.operators, 'operator')} on the NPU"
        return f"{text}; on the CPU: {', '.join(left)}" if left else text

    def facts(self) -> dict[str, Any]:
        """What it was compiled by, and for, as JSON values."""
        return {
            "compiler": f"ethos-u-vela {version()}",
            "accelerator": self.accelerator,
            "system_config": self.system_config,
            "memory_mode": self.memory_mode,
            "clock_mhz": self.clock_mhz,
        }

    def figures(self) -> dict[str, Any]:
        """vela's estimate as JSON values; None for a memory that isn't used."""
        return {
            "compiled_bytes": len(self.data),
            "cycles": self.cycles,
            "estimated_ms": self.estimated_ms,
            "sram_bytes": self.sram_bytes or None,
            "flash_bytes": self.flash_bytes or None,
            "dram_bytes": self.dram_bytes or None,
            "operators": self.operators,
            "cpu_operators": [asdict(item) for item in self.cpu],
        }


def known_accelerator(name: str) -> str:
    """The name of an accelerator.

    Raises:
        InputError: it is none of `ACCELERATORS`.
    """
    if name not in ACCELERATORS:
        raise InputError(f"Unknown Ethos-U NPU {name!r}.{did_you_mean(name, ACCELERATORS)}")
    return name


def version() -> str:
    """Of the installed package.

    Raises:
        InputError: it isn't installed.
    """
    if importlib.util.find_spec("ethosu") is None:
        raise InputError("Arm's compiler for Ethos-U is not installed: pip install 'keras-tkit[ethos-u]'.")
    return importlib.metadata.version("ethos-u-vela")


def compiled(
    path: Path, accelerator: str, system_config: str | None = None, memory_mode: str | None = None
) -> Compiled:
    """A .tflite file as vela compiles it.

    Args:
        path: the file; operators that aren't quantized to integers are left to the CPU.
        accelerator: of `ACCELERATORS`.
        system_config: a section of vela's own vela.ini, such as "Ethos_U55_Deep_Embedded"; vela's choice by default.
        memory_mode: the same, such as "Sram_Only".

    Raises:
        InputError: vela is not installed, doesn't know the system or the memory, can't compile the file, or leaves all
            of it to the CPU.

    Example: `compiled(Path("model-int8.tflite"), "ethos-u55-128").flash_bytes`
    """
    version()
    graph = flatbuffer.read(files.read_bytes(path), str(path))
    with tempfile.TemporaryDirectory(prefix="tkit-vela-") as scratch:
        # -P: nothing is imported from the working folder, which may have come with the file.
        command = [sys.executable, "-P", "-m", "ethosu.vela", str(path), "--output-dir", scratch]
        command += ["--accelerator-config", accelerator]
        command += ["--system-config", system_config] if system_config else []
        command += ["--memory-mode", memory_mode] if memory_mode else []
        said = _run(command, path)
        folder = Path(scratch)
        data = (folder / f"{path.stem}_vela.tflite").read_bytes()
        [report] = folder.glob(f"{path.stem}_summary_*.csv")
        summary = report.read_text(encoding="utf-8")
    [row] = csv.DictReader(summary.splitlines())
    reasons = {item["tensor"]: item["reason"].strip() for item in _UNSUPPORTED.finditer(said)}
    left = flatbuffer.read(data, f"{path}, compiled,")
    cpu = [item for item in left.operators if item.name != NPU]
    if len(cpu) == len(left.operators):
        raise InputError(f"Nothing of {path} runs on the NPU: {'; '.join(dict.fromkeys(reasons.values()))}.")
    inputs = [left.tensors[number] for item in cpu for number in item.inputs]
    constants = {tensor.buffer: len(tensor.data) for tensor in inputs}
    return Compiled(
        data=data,
        summary=summary,
        accelerator=accelerator,
        system_config=row["system_config"],
        memory_mode=row["memory_mode"],
        clock_mhz=round(float(row["core_clock"]) / 1e6),
        operators=len(graph.operators),
        cpu=tuple(CpuOperator(item.name, reasons.get(left.tensors[item.outputs[0]].name, "")) for item in cpu),
        cycles=round(float(row["cycles_total"])),
        estimated_ms=1e3 * float(row["inference_time"]),
        sram_bytes=_bytes(row, "sram"),
        flash_bytes=_bytes(row, "on_chip_flash") + _bytes(row, "off_chip_flash") + sum(constants.values()),
        dram_bytes=_bytes(row, "dram"),
    )


def _bytes(row: dict[str, str], memory: str) -> int:
    return round(_KIB * float(row[f"{memory}_memory_used"]))


def _run(command: list[str], path: Path) -> str:
    """What vela prints; InputError where it fails, in the last of its words."""
    try:
        ran = subprocess.run(command, capture_output=True, text=True, errors="replace", timeout=TIMEOUT)
    except subprocess.TimeoutExpired as error:
        raise InputError(f"vela has not compiled {path} within {TIMEOUT:g} s.") from error
    if ran.returncode < 0:
        raise InputError(f"{path} crashes vela, Arm's compiler ({signal.Signals(-ran.returncode).name}).")
    if ran.returncode:
        last = next(reversed(ran.stderr.strip().splitlines()), f"exit code {ran.returncode}")
        raise InputError(f"vela can't compile {path}: {last.rpartition('CliOptionError: ')[2]}")
    return ran.stdout + ran.stderr
