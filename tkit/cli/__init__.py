"""The `tkit` command: one file per command, named after it; a command's imports happen when it runs."""

from __future__ import annotations

import signal
import sys
from collections.abc import Sequence
from typing import NoReturn

import click

from tkit import console
from tkit.cli._group import group
from tkit_edge.errors import TkitError

INTERRUPTED, TERMINATED = 130, 143


def main(args: Sequence[str] | None = None) -> NoReturn:
    """Run the command line `args` (default: the process's own) and exit with a documented code."""
    if signal.getsignal(signal.SIGTERM) == signal.SIG_DFL:
        signal.signal(signal.SIGTERM, _terminate)  # so that `finally` blocks run, as after Ctrl-C
    try:
        try:
            code = group.main(args, prog_name="tkit", standalone_mode=False)
        finally:
            console.rest()
    except TkitError as error:
        click.echo(console.laid_out(f"Error: {error}", sys.stderr), err=True)
        sys.exit(error.exit_code)
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except click.Abort as abort:
        if isinstance(
            abort.__cause__, EOFError
        ):  # click treats any EOFError as Ctrl-D at a prompt; tkit has no prompts
            raise abort.__cause__ from None
        click.echo("Interrupted.", err=True)
        sys.exit(INTERRUPTED)
    sys.exit(code or 0)


def _terminate(signum: int, frame: object) -> NoReturn:
    sys.exit(TERMINATED)
