"""The group of all commands. It finds them by their files, and imports only the one that runs."""

from __future__ import annotations

import difflib
import importlib
import os
from pathlib import Path

import click

from tkit.cli._command import EXIT_CODES, level_options, write_verbatim

_HERE = Path(__file__).parent
_HELP = """\
From a Keras 3 recipe to a measured .tflite model.

Examples:
  tkit list
  tkit run --recipe digits_cnn
  tkit run --recipe cifar10_cnn --data ./images fit.epochs=20
  tkit tensorboard
"""
PIPE_CLOSED = 141


def _module(name: str) -> str:
    """The module of a command: `why_int8` for `why-int8`."""
    return name.replace("-", "_")


def _summary(name: str) -> str:
    """The first line of a command's docstring, without importing it."""
    with open(_HERE / f"{_module(name)}.py", encoding="utf-8") as file:
        return file.readline().strip().strip('"')


def _show_versions(context: click.Context, option: click.Parameter, value: bool) -> None:
    if not value or context.resilient_parsing:
        return
    import platform
    from importlib.metadata import PackageNotFoundError, version

    click.echo(f"tkit {version('keras-tkit')}")
    click.echo(f"python {platform.python_version()}")
    for package in ("tensorflow", "keras", "ai-edge-litert"):
        try:
            click.echo(f"{package} {version(package)}")
        except PackageNotFoundError:
            click.echo(f"{package} not installed")
    context.exit()


class Group(click.Group):
    """Commands found by file name; files whose names begin with an underscore are not commands."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """The commands' names."""
        return sorted(file.stem.replace("_", "-") for file in _HERE.glob("*.py") if not file.stem.startswith("_"))

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The command of that name, imported now."""
        if cmd_name not in self.list_commands(ctx):
            return None
        return importlib.import_module(f"tkit.cli.{_module(cmd_name)}").command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """The command that `args` begin with; an unknown one is named with the closest match."""
        names = self.list_commands(ctx)
        name = args[0]
        if name not in names and not name.startswith("-") and not ctx.resilient_parsing:
            close = difflib.get_close_matches(name, names, n=1)
            hint = f" Did you mean {close[0]!r}?" if close else ""
            ctx.fail(f"Unknown command {name!r}.{hint} Available: {', '.join(names)}.")
        return super().resolve_command(ctx, args)

    def invoke(self, ctx: click.Context) -> None:
        """Run the command; exit silently on a broken pipe."""
        try:
            super().invoke(ctx)
        except BrokenPipeError:
            os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
            ctx.exit(PIPE_CLOSED)

    def format_help_text(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The help, as written."""
        write_verbatim(formatter, _HELP)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Each command with its file's first line."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, _summary(name)) for name in self.list_commands(ctx)])

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The exit codes, for all commands."""
        write_verbatim(formatter, EXIT_CODES)


group = Group(
    name="tkit",
    params=[
        click.Option(
            ["--version"],
            is_flag=True,
            is_eager=True,
            expose_value=False,
            callback=_show_versions,
            help="Show the versions of tkit, Python and the libraries, and exit.",
        ),
        *level_options(),
    ],
)
