"""Shared by all commands: help printed verbatim, the exit codes below it, and -q and -v."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import click

from tkit import console

EXIT_CODES = """\
Exit codes:
  0         done
  1         internal error; its traceback is printed
  2         bad input
  3         a measured figure missed the recipe's bound (export's parity gate),
            or doctor found a problem
  4         training diverged
  130, 143  interrupted, terminated
"""


def _set_level(context: click.Context, option: click.Parameter, value: bool) -> None:
    if value:
        console.set_level("quiet" if option.name == "quiet" else "verbose")


def level_options() -> list[click.Parameter]:
    """-q and -v; the last one given counts."""
    return [
        click.Option(
            ["-q", "--quiet"], is_flag=True, expose_value=False, callback=_set_level, help="Print errors only."
        ),
        click.Option(
            ["-v", "--verbose"],
            is_flag=True,
            expose_value=False,
            callback=_set_level,
            help="Print more, including TensorFlow's own lines.",
        ),
    ]


def write_verbatim(formatter: click.HelpFormatter, text: str) -> None:
    """`text` line by line, unwrapped: the docstrings are already laid out for a terminal."""
    formatter.write_paragraph()
    formatter.write(text.strip("\n") + "\n")


class Command(click.Command):
    """A command with tkit's help layout and -q and -v."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.params.extend(level_options())

    def format_help_text(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The module's docstring, as written."""
        write_verbatim(formatter, self.help or "")

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The exit codes."""
        write_verbatim(formatter, EXIT_CODES)

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Parse; if an override was given as an option, explain how overrides are written."""
        try:
            return super().parse_args(ctx, args)
        except click.NoSuchOption as error:
            if "." in error.option_name:
                hint = f"Overrides are written without dashes: {error.option_name.lstrip('-')}=VALUE"
                raise click.NoSuchOption(error.option_name, f"{error.message} {hint}", ctx=ctx) from error
            raise


def tkit_command(doc: str | None) -> Callable[[Callable[..., None]], click.Command]:
    """Decorator of a command's function; `doc` is its module's docstring, which is the help."""
    return click.command(cls=Command, help=doc)
