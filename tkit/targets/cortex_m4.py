"""A Cortex-M4 in QEMU, which runs the int8 file as C: outputs, memory and instructions, but no latency."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal

from tkit.bench_config import Bench
from tkit.c_code.cortex_m import emulator
from tkit.c_code.project import write_project
from tkit.handovers.c import int8_file
from tkit.targets import Target
from tkit.targets._files import ModelFile
from tkit_edge import check as edge_check
from tkit_edge.bundle import Bundle
from tkit_edge.outputs import Outcome
from tkit_edge.report import VERSION
from tkit_edge.runtime import where

_CPU = "cortex-m4"


class CortexM4(Target):
    """QEMU's board mps2-an386, and what `tkit export --format c` writes."""

    kind: Literal["cortex_m4"] = "cortex_m4"

    @property
    def cannot(self) -> tuple[str, ...]:
        """`Target.cannot`."""
        return (
            "latency: QEMU counts instructions, not cycles",
            "files other than int8, which C is written of",
        )

    def check(self, bundle: Path) -> dict[str, Any]:
        """`Target.check`, byte for byte against LiteRT's reference kernels."""
        read = Bundle.read(bundle)
        with _project(int8_file(read), read) as (folder, scratch, _):
            found = emulator.golden(folder, scratch, _CPU)
        # The program tells how many samples differ, not which.
        failed = tuple(range(found.samples - found.equal))
        difference = float("inf") if failed else 0.0
        answer = read.output.answer
        outcome = Outcome(found.samples, found.equal, answer, difference, "steps", 0.0, failed)
        checked = edge_check.document(read, [edge_check.Checked("int8", outcome)], None)
        return self._told({key: value for key, value in checked.items() if key not in where()})

    def bench(self, subject: Path, settings: Bench, test: Path | None = None) -> dict[str, Any]:
        """`Target.bench`: flash, arena, stack and instructions."""
        read = Bundle.read(subject) if subject.is_dir() else None
        path = subject if read is None else int8_file(read)
        with _project(path, read) as (folder, scratch, figures):
            size, cost = emulator.footprint(folder, scratch, _CPU), emulator.cost(folder, scratch, _CPU)
        row = {
            **ModelFile(path, None if read is None else "int8", read).facts(),
            "arena_bytes": figures["arena_bytes"],
            "flash_bytes": size.flash_bytes,
            "stack_bytes": cost.stack_bytes,
            "instructions": cost.instructions,
        }
        return self._told({"kind": "bench", "version": VERSION, "results": [row]})

    def _told(self, found: dict[str, Any]) -> dict[str, Any]:
        return self.document(found, emulator=emulator.version(), kernels="C, as LiteRT's reference kernels")


@contextmanager
def _project(path: Path, bundle: Bundle | None) -> Iterator[tuple[Path, Path, dict[str, Any]]]:
    """The C files of an int8 file, a folder for what is built, and the files' figures."""
    emulator.check_tools()
    with tempfile.TemporaryDirectory(prefix="tkit-cortex-m4-") as top:
        folder, scratch = Path(top, "c"), Path(top, "built")
        folder.mkdir()
        scratch.mkdir()
        examples = None if bundle is None else bundle.golden().inputs
        yield folder, scratch, write_project(path, path.stem, folder, examples)
