"""Measuring .tflite files with tkit_edge, in a process of its own; without TensorFlow."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any, NamedTuple

from tkit import console
from tkit.recipe import Bench
from tkit_edge import files, flatbuffer
from tkit_edge.errors import InputError


class Measured(NamedTuple):
    """What tkit_edge reports of files, as JSON values and as a table."""

    metrics: dict[str, Any]
    table: str


def bench_file(path: str | Path, settings: Bench | None = None) -> Measured:
    """Measures any .tflite file, without accuracy: there are no pictures to take it from.

    Raises:
        InputError: no whole .tflite file, or one that this runtime can't run.

    Example: `print(tkit.bench_file("model.tflite").table)`
    """
    flatbuffer.read(files.read_bytes(Path(path)), str(path))
    return measure(Path(path), settings or Bench())


def measure(target: Path, settings: Bench, *arguments: str) -> Measured:
    """Runs `tkit-edge bench` on a bundle or a file in a process of its own."""
    with tempfile.TemporaryDirectory(prefix="tkit-bench-") as scratch:
        made = Path(scratch) / "bench.json"
        # -P: nothing is imported from the working folder, which may have come with the file.
        command = [sys.executable, "-P", "-m", "tkit_edge", "bench", str(target), *arguments]
        command += ["--seconds", str(settings.seconds), "--output", str(made)]
        # On standard output comes the table; on standard error progress, which goes where the rest of it goes.
        said = subprocess.PIPE if console.level() == "quiet" else None
        done = subprocess.run(command, stdout=subprocess.PIPE, stderr=said, text=True)
        if done.returncode:
            raise InputError(f"The measurement failed with exit code {done.returncode}. {done.stderr or ''}".strip())
        return Measured(json.loads(made.read_text(encoding="utf-8")), done.stdout)
