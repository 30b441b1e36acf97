"""Measure a run's exported files: latency, memory, size, accuracy.

Each file runs through the LiteRT runtime in a process of its own, with 1 and n
threads, with and without XNNPACK.

Examples:
  tkit bench runs/digits_cnn-1
  tkit bench runs/digits_cnn-1 bench.seconds=5
  tkit bench runs/digits_cnn-1 --json
"""

from __future__ import annotations

from pathlib import Path

import tkit
from tkit.cli import _options
from tkit.cli._command import tkit_command


@tkit_command(__doc__)
@_options.run_argument
@_options.variant_option
@_options.json_option
@_options.overrides_argument
def command(run: Path, variant: str | None, as_json: bool, overrides: tuple[str, ...]) -> None:
    """`tkit bench`."""
    with _options.results(as_json) as show:
        opened = tkit.Run.open(run)
        _options.silence_tensorflow()
        tkit.bench(opened, variant=variant, overrides=overrides)
        show(opened.summary("bench", variant), _options.bench_table(opened, variant))
