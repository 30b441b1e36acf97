"""Export a run's model to .tflite files, each checked against it.

Every file must pass the parity gate: it runs through LiteRT and is compared with the
trained model; if it misses the recipe's bound, the command ends with exit code 3.
Formats that a model can't be exported in are left out, unless they were asked for.
Your own .keras file becomes a run first: it needs --data.

Examples:
  tkit export runs/digits_cnn-1
  tkit export runs/digits_cnn-1 export.io=uint8 export.formats=int8
  tkit export model.keras --data ./images --pixels 0-1
  tkit export model.keras --data ./images --pixels 0-1 --skip-failed
  tkit export runs/digits_cnn-1 --json
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

import tkit
from tkit.cli import _model, _options
from tkit.cli._command import tkit_command

if TYPE_CHECKING:
    from tkit.keras_files.formats import Pixels


@tkit_command(__doc__)
@_model.takes_a_model
@_options.variant_option
@click.option("--skip-failed", is_flag=True, help="Leave out the formats that fail, and export the others.")
@_options.json_option
@_options.overrides_argument
def command(
    run: Path,
    data: str | None,
    pixels: Pixels | None,
    skip_bad: bool,
    runs_dir: Path | None,
    variant: str | None,
    skip_failed: bool,
    as_json: bool,
    overrides: tuple[str, ...],
) -> None:
    """`tkit export`."""
    from tkit.conversion import process

    with _options.results(as_json, "export") as show:
        process.start()
        opened = _model.open_run(run, data, pixels, runs_dir, skip_bad, overrides)
        _options.silence_tensorflow()
        tkit.export(opened, variant=variant, skip_failed=skip_failed)
        show(opened.summary("export", variant), str(opened.variant_folder(variant) / "export"))
