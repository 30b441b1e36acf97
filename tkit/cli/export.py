"""Export a run's model to .tflite files, each shown to agree with it.

Every file goes through the parity gate before it counts: it runs through LiteRT
against the trained model, and past the recipe's bound the command ends with 3.

Examples:
  tkit export runs/digits_cnn-1
  tkit export runs/digits_cnn-1 export.io=uint8 export.formats=int8
  tkit export runs/digits_cnn-1 --json
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
    """`tkit export`."""
    with _options.results(as_json) as show:
        opened = tkit.Run.open(run)
        _options.silence_tensorflow()
        tkit.export(opened, variant=variant, overrides=overrides)
        show(opened.summary("export", variant), str(opened.variant_folder(variant) / "export"))
