"""The options and arguments that several commands take, and what they mean."""

from __future__ import annotations

import json
import os
import re
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stdout
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from tkit import console
from tkit.cli import _complete
from tkit.finite import finite
from tkit_edge.text import terminal_width

if TYPE_CHECKING:
    from tkit.recipe_loading import Loaded

DOCUMENT_VERSION = 1
"""Version of the JSON documents; incremented when a key is removed or changes its meaning."""
_RECIPE_HELP = "A name from `tkit list`, or the path of a .py or .json recipe."


def recipe_or_resume(command: Callable) -> Callable:
    """--recipe or --resume."""
    resume = click.option(
        "--resume",
        metavar="RUN",
        type=click.Path(path_type=Path),
        shell_complete=_complete.runs,
        help="Continue an interrupted run, instead of --recipe.",
    )
    recipe = click.option("--recipe", metavar="RECIPE", shell_complete=_complete.recipes, help=_RECIPE_HELP)
    return recipe(resume(command))


data_option = click.option(
    "--data",
    metavar="DATA",
    shell_complete=_complete.files,
    help="Source of the images, instead of the recipe's: a folder, an archive, or a name "
    "such as tfds:cifar10. Short for data.source=DATA.",
)
skip_bad_option = click.option(
    "--skip-bad", is_flag=True, help="Skip damaged images, and report how many. Short for data.skip_bad=true."
)
runs_dir_option = click.option(
    "--runs-dir",
    type=click.Path(file_okay=False, path_type=Path),
    metavar="DIR",
    help="Folder of the runs. [default: $TKIT_RUNS, else ./runs]",
)
dry_run_option = click.option(
    "--dry-run", is_flag=True, help="Run two steps of every stage, with the recipe's real shapes."
)
variant_option = click.option(
    "--variant",
    metavar="NAME",
    shell_complete=_complete.variants,
    help="Which of the run's models. [default: the newest]",
)
from_variant_option = click.option(
    "--variant",
    metavar="NAME",
    default="float",
    show_default=True,
    shell_complete=_complete.variants,
    help="Which of the run's models to start from.",
)


def device_option(*, default: str | None = None, multiple: bool = False) -> Callable[[Callable], Callable]:
    """--device."""
    return click.option(
        "--device",
        "devices" if multiple else "device",
        metavar="DEVICE",
        default=default,
        multiple=multiple,
        show_default=default is not None,
        shell_complete=_complete.devices,
        help="Where: ssh://[USER@]HOST[:PORT], adb, qemu-arm64, tflm, ethos-u[:CONFIG], or a name in devices.toml."
        + (" May be given again; all: every one in devices.toml." if multiple else ""),
    )


install_option = click.option(
    "--install",
    is_flag=True,
    help="Where numpy, LiteRT or Pillow is missing on a device (over ssh), make an environment of tkit's own there.",
)
json_option = click.option(
    "--json",
    "as_json",
    is_flag=True,
    help="One JSON document on standard output; everything else on standard error.",
)
run_argument = click.argument("run", type=click.Path(path_type=Path), shell_complete=_complete.runs)
overrides_argument = click.argument(
    "overrides", nargs=-1, metavar="[KEY=VALUE]...", shell_complete=_complete.override_keys
)
recipe_and_overrides_argument = click.argument(
    "overrides", nargs=-1, metavar="[RECIPE] [KEY=VALUE]...", shell_complete=_complete.recipe_then_override_keys
)


def begin_or_resume(
    recipe: str | None,
    resume: Path | None,
    data: str | None,
    skip_bad: bool,
    runs_dir: Path | None,
    dry_run: bool,
    overrides: tuple[str, ...],
) -> dict[str, Any]:
    """The arguments of `tkit.fit` and `tkit.run`; UsageError for options that a resumed run doesn't allow.

    The recipe may be given without --recipe, before the overrides.
    """
    if resume is None:
        if recipe is None and overrides and "=" not in overrides[0]:
            recipe, *rest = overrides
            overrides = tuple(rest)
        return {"recipe": load(recipe, overrides, data, skip_bad), "runs_dir": runs_dir, "dry_run": dry_run}
    given = {"--recipe": recipe, "--skip-bad": skip_bad, "--runs-dir": runs_dir, "--dry-run": dry_run}
    for option, value in given.items():
        if value:
            raise click.UsageError(f"--resume continues a run unchanged: {option} can't be given with it.")
    return {"resume": resume, "overrides": [*_source(data), *overrides]}


def _source(data: str | None) -> list[str]:
    return [] if data is None else [f"data.source={json.dumps(data)}"]


def load(recipe: str | None, overrides: tuple[str, ...], data: str | None = None, skip_bad: bool = False) -> Loaded:
    """The recipe with --data, --skip-bad and the overrides applied, in this order."""
    from tkit.recipe_loading import load

    if recipe is None:
        raise click.UsageError("Missing option '--recipe' (or '--resume', to continue a run).")

    return load(recipe, [*_source(data), *skip(skip_bad), *overrides])


def skip(skip_bad: bool) -> list[str]:
    """The override that --skip-bad stands for."""
    return ["data.skip_bad=true"] if skip_bad else []


def split_overrides(arguments: tuple[str, ...]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Splits positional arguments: those that aren't overrides, and overrides such as "data.batch_size=16"."""
    overrides = tuple(item for item in arguments if re.match(r"[a-z_]+\.[^:=/]*=", item))
    return tuple(item for item in arguments if item not in overrides), overrides


def silence_tensorflow() -> None:
    """Keep TensorFlow's own lines off the terminal, unless the user asked for them, and show that it is starting."""
    if console.level() != "verbose":
        from tkit import _quiet

        _quiet.silence()
        if "tensorflow" not in sys.modules:
            console.busy("starting TensorFlow")


def bench_table(report: dict[str, Any]) -> str:
    """What bench measured, as a table that fits the terminal."""
    from tkit_edge.table import document_table

    return document_table(report, stdout_width())


def stdout_width() -> int | None:
    """Columns of the terminal on standard output; None for a pipe or a file, which gets the full width."""
    return terminal_width(sys.stdout)


def print_json(document: Any) -> None:
    """`document` as indented JSON on standard output."""
    click.echo(json.dumps(finite(document), indent=2, default=str))


@contextmanager
def results(as_json: bool, kind: str) -> Iterator[Callable[[Any, str], None]]:
    """Yields a function that prints a command's result: its JSON document, of a `kind` of docs/json.md, or its text.

    With `as_json`, everything else that is printed until the block ends goes to standard error, including the output
    of native code and child processes, so that standard output is one JSON document: the result, or the figures of a
    missed bound. After another error it is empty.
    """
    if not as_json:

        def show(document: Any, text: str) -> None:
            console.rest()
            if text:
                click.echo(console.laid_out(text, sys.stdout))

        yield show
        return
    from tkit_edge.errors import BoundError

    kept: list[Any] = []
    try:
        with _stdout_to_stderr():
            yield lambda document, text: kept.append(document)
    except BoundError as error:
        kind, kept = "past-bound", [{"error": str(error), "figures": error.figures}]
        raise
    finally:
        console.rest()
        for document in kept:
            print_json({"kind": kind, "version": DOCUMENT_VERSION, **document})


@contextmanager
def _stdout_to_stderr() -> Iterator[None]:
    sys.stdout.flush()
    saved = os.dup(1)
    os.dup2(2, 1)
    try:
        with redirect_stdout(sys.stderr):
            yield
    finally:
        os.dup2(saved, 1)
        os.close(saved)
