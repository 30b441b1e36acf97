"""Take a .tflite file apart: operators, quantization, where the bytes are.

Any .tflite file, from any source; it is read, not run. For a run or a bundle, each
file in a few lines.

Examples:
  tkit inspect model.tflite
  tkit inspect model.tflite --tensors
  tkit inspect runs/digits_cnn-1
  tkit inspect model.tflite --json
"""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

import click

import tkit
from tkit.cli import _complete, _options
from tkit.cli._command import tkit_command


@tkit_command(__doc__)
@click.argument("path", metavar="FILE|RUN|BUNDLE", type=click.Path(path_type=Path), shell_complete=_complete.files)
@click.option("--tensors", is_flag=True, help="List every constant of the file.")
@_options.json_option
def command(path: Path, tensors: bool, as_json: bool) -> None:
    """`tkit inspect`."""
    from tkit.cli._anatomy import brief, whole

    with _options.results(as_json, "inspect") as show:
        found = tkit.inspect(path)
        documents = {name: asdict(anatomy) for name, anatomy in found.items()}
        if path.is_dir():
            show({"files": documents}, "\n\n".join(brief(name, anatomy) for name, anatomy in found.items()))
        else:
            [(name, anatomy)] = found.items()
            show({"files": documents}, whole(name, anatomy, tensors, _options.stdout_width()))
