"""Compress a run's model: prune, cluster, quantize, in the order given.

Each step fine-tunes, preserves the results of the steps before it, and adds a row to
the ledger: what it gained in bytes, latency and accuracy, and what it didn't.
Without steps, the recipe's are used. Your own .keras file needs --data. With --device
the ledger has what each step's int8 file costs there, too.

Examples:
  tkit compress runs/digits_cnn-1 prune:sparsity=0.5
  tkit compress runs/digits_cnn-1 prune:sparsity=0.5 cluster:clusters=16
  tkit compress model.keras --data ./images --pixels 0-1 prune:pattern=2:4
  tkit compress model.keras --data ./images --skip-bad data.batch_size=16 cluster
  tkit compress runs/digits_cnn-1 prune:sparsity=0.5 cluster --device ethos-u
  tkit compress runs/digits_cnn-1 prune:sparsity=0.75,epochs=5 --json
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
@_options.from_variant_option
@_options.device_option()
@_options.json_option
@click.argument("steps", nargs=-1, metavar="[STEP[:KEY=VALUE,...]|KEY=VALUE]...", shell_complete=_complete.steps)
def command(
    run: Path,
    data: str | None,
    pixels: Pixels | None,
    skip_bad: bool,
    runs_dir: Path | None,
    variant: str,
    device: str | None,
    as_json: bool,
    steps: tuple[str, ...],
) -> None:
    """`tkit compress`."""
    with _options.results(as_json, "compress") as show:
        steps, overrides = _options.split_overrides(steps)
        opened = _model.open_run(run, data, pixels, runs_dir, skip_bad, overrides)
        _options.silence_tensorflow()
        made = tkit.compress(opened, steps or None, variant=variant, device=device)
        show(made, str(opened.folder / made["variant"]))
