"""Measure exported files: latency, memory, size, accuracy.

Each file runs through the LiteRT runtime in a process of its own, with 1 and n
threads, with and without XNNPACK. A .keras file of your own becomes a run first (it
needs --data) and is exported where it wasn't yet; any .tflite file is measured as
it is, without accuracy.

Examples:
  tkit bench runs/digits_cnn-1
  tkit bench runs/digits_cnn-1 bench.seconds=5
  tkit bench model.keras --data ./pictures --pixels 0-1
  tkit bench model.tflite
  tkit bench runs/digits_cnn-1 --json
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import tkit
from tkit.cli import _model, _options
from tkit.cli._command import tkit_command

if TYPE_CHECKING:
    from tkit.models.keras_file import Pixels


@tkit_command(__doc__)
@_model.takes_a_model
@_options.variant_option
@_options.json_option
@_options.overrides_argument
def command(
    run: Path,
    data: str | None,
    pixels: Pixels | None,
    runs_dir: Path | None,
    variant: str | None,
    as_json: bool,
    overrides: tuple[str, ...],
) -> None:
    """`tkit bench`."""
    with _options.results(as_json) as show:
        if run.suffix == ".tflite":
            measured = tkit.bench_file(run, _model.file_settings(run, data, pixels, overrides))
            return show(measured.metrics, measured.table)
        opened = _model.open_run(run, data, pixels, runs_dir)
        _options.silence_tensorflow()
        if run.suffix == ".keras" and "float/export" not in opened.manifest["stages"]:
            tkit.export(opened)
        tkit.bench(opened, variant=variant, overrides=overrides)
        show(opened.summary("bench", variant), _options.bench_table(opened, variant))
