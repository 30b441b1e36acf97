"""Check that a device computes what the exporting machine did.

The golden samples of the exported bundle run through each of its files on the device,
and the outputs are compared with those that were exported with them. Outputs that
differ by more than the tolerance end with exit code 3.

Examples:
  tkit check runs/digits_cnn-1
  tkit check runs/digits_cnn-1 --device ssh://pi@raspberrypi.local
  tkit check runs/digits_cnn-1 --device qemu-arm64 --json
  tkit check runs/digits_cnn-1/float/export --device tflm
"""

from __future__ import annotations

from pathlib import Path

import click

import tkit
from tkit.cli import _complete, _options
from tkit.cli._command import tkit_command


@tkit_command(__doc__)
@click.argument("subject", metavar="RUN|BUNDLE", type=click.Path(path_type=Path), shell_complete=_complete.runs)
@_options.device_option(default="local")
@_options.install_option
@_options.variant_option
@_options.runs_dir_option
@_options.json_option
def command(
    subject: Path, device: str, install: bool, variant: str | None, runs_dir: Path | None, as_json: bool
) -> None:
    """`tkit check`."""
    from tkit_edge.errors import BoundError

    with _options.results(as_json, "check") as show:
        found = tkit.check(subject, device=device, variant=variant, runs_dir=runs_dir, install=install)
        show(dict(found), found.display().text(most=len(found["files"])))
    if not found["ok"]:
        raise BoundError(f"{found['bundle']} does not run on {device} as where it was exported.", dict(found))
