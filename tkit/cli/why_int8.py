"""Report in which layers int8 costs accuracy, why, and what helps.

Each kernel and each layer's activations are rounded alone; the ranking, the cause
with its numbers and a plot are in the run's <variant>/why-int8/. The suggested
exceptions are then applied, and both int8 files are measured on validation images.
Your own .keras file needs --data.

Examples:
  tkit why-int8 runs/digits_cnn-1
  tkit why-int8 runs/digits_cnn-1 quantize:calibration=minmax,samples=100
  tkit why-int8 model.keras --data ./images --pixels 0-1
  tkit why-int8 runs/digits_cnn-1 --samples 2000 --json
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

import tkit
from tkit.cli import _complete, _model, _options
from tkit.cli._command import tkit_command

if TYPE_CHECKING:
    from tkit.keras_files.formats import Pixels


@tkit_command(__doc__)
@_model.takes_a_model
@click.argument("steps", nargs=-1, metavar="[quantize:KEY=VALUE,...|KEY=VALUE]...", shell_complete=_complete.steps)
@_options.from_variant_option
@click.option(
    "--samples", metavar="N", type=int, default=500, show_default=True, help="Maximum number of validation images."
)
@_options.json_option
def command(
    run: Path,
    steps: tuple[str, ...],
    data: str | None,
    pixels: Pixels | None,
    skip_bad: bool,
    runs_dir: Path | None,
    variant: str,
    samples: int,
    as_json: bool,
) -> None:
    """`tkit why-int8`."""
    from tkit.cli._sensitivity import text

    with _options.results(as_json, "why-int8") as show:
        steps, overrides = _options.split_overrides(steps)
        if len(steps) > 1:
            raise click.UsageError(f"Expected one step, received {' '.join(steps)}.")
        opened = _model.open_run(run, data, pixels, runs_dir, skip_bad, overrides)
        _options.silence_tensorflow()
        result = tkit.why_int8(opened, *steps, variant=variant, samples=samples)
        show(result, text(result, opened, _options.stdout_width()))
