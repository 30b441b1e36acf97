"""Shared by the commands that take a run or the user's own .keras file."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from tkit.cli import _complete, _options

if TYPE_CHECKING:
    from tkit.bench_config import Bench
    from tkit.keras_files.formats import Pixels
    from tkit.run_folder import Run

run_or_keras_argument = click.argument(
    "run", metavar="RUN|FILE", type=click.Path(path_type=Path), shell_complete=_complete.runs
)
data_option = click.option(
    "--data",
    metavar="DATA",
    shell_complete=_complete.files,
    help="Labelled images for a model file: a folder, an archive, or a name such as tfds:cifar10.",
)
pixels_option = click.option(
    "--pixels",
    type=click.Choice(["0-255", "0-1", "-1-1", "caffe", "torch"]),
    help="Pixel range that a model file was trained on, where the file doesn't show it; caffe and torch are modes of "
    "preprocess_input in Keras Applications.",
)


def takes_a_model(command: Callable) -> Callable:
    """RUN|FILE, --data, --pixels, --skip-bad and --runs-dir, which `open_run` turns into a run."""
    options = (run_or_keras_argument, data_option, pixels_option, _options.skip_bad_option, _options.runs_dir_option)
    for option in reversed(options):
        command = option(command)
    return command


format_option = click.option(
    "--format",
    metavar="NAME",
    shell_complete=_complete.formats,
    help="Which of its files: keras, float32, float16, dynamic, int8, int16x8.",
)


def open_run(
    path: Path,
    data: str | None,
    pixels: Pixels | None,
    runs_dir: Path | None,
    skip_bad: bool,
    overrides: tuple[str, ...],
) -> Run:
    """The run at `path`, or a run made from a .keras file and its data, for a command with these overrides.

    Overrides of `data` define the run of a .keras file; the others apply to this command.
    """
    import tkit
    from tkit.keras_files.formats import is_model
    from tkit_edge.errors import InputError

    overrides = (*_options.skip(skip_bad), *overrides)
    if not is_model(path):
        if (data is not None or pixels is not None) and path.is_file():
            raise InputError(f"{path} is not a Keras model: expected a .keras or .h5 file.")
        if data is not None or pixels is not None:
            raise InputError(f"--data and --pixels go with a .keras or .h5 file; {path} has them in its recipe.")
        return tkit.Run.open(path, runs_dir).with_overrides(overrides)
    if data is None:
        raise InputError(f"{path} needs images to work with: --data DATA (a folder with one folder per class).")
    _options.silence_tensorflow()
    lasting = [item for item in overrides if item.startswith("data.")]
    run = tkit.adopt(path, data=data, pixels=pixels, runs_dir=runs_dir, overrides=lasting)
    return run.with_overrides([item for item in overrides if item not in lasting])


def file_settings(path: Path, options: dict[str, Any], overrides: tuple[str, ...]) -> Bench:
    """How a bare .tflite file is measured; InputError for a given option of a run or a model."""
    from tkit.bench_config import Bench
    from tkit.recipe_loading import replace
    from tkit_edge.errors import InputError

    given = [f"--{name.replace('_', '-')}" for name, value in options.items() if value]
    if given:
        raise InputError(
            f"{', '.join(given)}: for a run or a .keras file only. {path} is measured alone, without images."
        )
    settings = Bench()
    for override in overrides:
        key, equals, value = override.partition("=")
        if not equals or not key.startswith("bench."):
            raise InputError(f"{path} takes overrides of the form bench.KEY=VALUE, received {override!r}.")
        settings = replace(settings, key.removeprefix("bench."), value)
    return settings
