"""Compare runs and variants: size, score and latency of their files.

Of each run all variants, or one by its folder. Nothing is measured: what `tkit export`
and `tkit bench` have recorded is shown side by side.

Examples:
  tkit compare runs/digits_cnn-1
  tkit compare runs/digits_cnn-1 runs/cifar10_cnn-1 --format int8
  tkit compare runs/digits_cnn-1/float runs/cifar10_cnn-1/float --json
"""

from __future__ import annotations

from pathlib import Path

import click

import tkit
from tkit.cli import _complete, _options
from tkit.cli._command import tkit_command


@tkit_command(__doc__)
@click.argument(
    "subjects",
    metavar="RUN...",
    nargs=-1,
    required=True,
    type=click.Path(path_type=Path),
    shell_complete=_complete.runs,
)
@click.option("--format", metavar="NAME", help="Only files of this format, such as int8.")
@_options.runs_dir_option
@_options.json_option
def command(subjects: tuple[Path, ...], format: str | None, runs_dir: Path | None, as_json: bool) -> None:
    """`tkit compare`."""
    with _options.results(as_json, "comparison") as show:
        found = tkit.compare(*subjects, format=format, runs_dir=runs_dir)
        show(found, found.display().text(len(found["rows"])))
