"""Classify picture files.

Pictures are decoded as in training and run through the exported int8 file where there
is one (--format chooses). Folders are searched for pictures. Pictures that cannot be
read are named; the others are classified all the same, and the command ends with 2.

Examples:
  tkit predict runs/digits_cnn-1 seven.png
  tkit predict runs/digits_cnn-1/float/export ./pictures --top 3 --format float32
  tkit predict model.keras cat.jpg --pixels 0-1
  tkit predict runs/digits_cnn-1 ./pictures --json
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

import tkit
from tkit.cli import _complete, _model, _options
from tkit.cli._command import tkit_command

if TYPE_CHECKING:
    from tkit.models.keras_file import Pixels


@tkit_command(__doc__)
@click.argument("subject", metavar="RUN|FILE|BUNDLE", type=click.Path(path_type=Path), shell_complete=_complete.runs)
@click.argument(
    "images",
    metavar="IMAGE...",
    nargs=-1,
    required=True,
    type=click.Path(path_type=Path),
    shell_complete=_complete.files,
)
@click.option("--top", type=click.IntRange(min=1), default=5, help="Classes shown of each picture. [default: 5]")
@_options.variant_option
@_model.format_option
@_model.pixels_option
@_options.runs_dir_option
@_options.json_option
def command(
    subject: Path,
    images: tuple[Path, ...],
    top: int,
    variant: str | None,
    format: str | None,
    pixels: Pixels | None,
    runs_dir: Path | None,
    as_json: bool,
) -> None:
    """`tkit predict`."""
    from tkit_edge.predict import document, raise_failures

    with _options.results(as_json) as show:
        _options.silence_tensorflow()
        found = tkit.predict(subject, images, top=top, variant=variant, format=format, pixels=pixels, runs_dir=runs_dir)
        lines = [item.line() for item in found if item.error is None]
        show(document(str(subject), found), "\n".join(lines))
    raise_failures(found)
