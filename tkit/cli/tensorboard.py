"""Open TensorBoard on all runs.

Options that are not tkit's own go to TensorBoard: --port, --host, --bind_all ...
It serves on localhost only unless told otherwise. Ctrl-C ends it.

Examples:
  tkit tensorboard
  tkit tensorboard --runs-dir /data/runs --port 6007
"""

from __future__ import annotations

import sys
from pathlib import Path

import click

from tkit import console
from tkit.cli import _options
from tkit.cli._command import tkit_command


@tkit_command(__doc__)
@_options.runs_dir_option
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED, metavar="[TENSORBOARD OPTIONS]...")
def command(runs_dir: Path | None, arguments: tuple[str, ...]) -> None:
    """`tkit tensorboard`."""
    from tkit.run_location import runs_folder
    from tkit_edge.errors import InputError

    folder = runs_folder(runs_dir)
    if not folder.is_dir():
        raise InputError(f"No runs at {folder}: create one with `tkit fit`, or give their folder with --runs-dir.")
    _options.silence_tensorflow()
    from tensorboard import program

    board = program.TensorBoard()
    board.configure(argv=["tensorboard", "--logdir", str(folder), *arguments])
    console.rest()
    sys.exit(board.main())


command.ignore_unknown_options = True
