"""Evaluate a model: accuracy, classes, calibration, mistakes.

A run that makes images: the distance to real ones, precision, recall, classes covered.

Any model: a run (its Keras model, or with --format an exported file), a .keras file, a
.tflite file, a bundle. A run has its images; the others need --data. A run's results
are written into its folder, with plots; others to --output.

Examples:
  tkit evaluate runs/digits_cnn-1
  tkit evaluate runs/digits_cnn-1 --format int8 --split validation
  tkit evaluate model.keras --data ./images --pixels 0-1
  tkit evaluate model.keras --data ./images --skip-bad data.resize=keras-crop
  tkit evaluate runs/digits_cnn-1 --mirror
  tkit evaluate runs/digits_cnn-1 --format int8 --at-least 0.9 --by-interval
  tkit evaluate model.tflite --data ./images --output results --json
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

import tkit
from tkit.cli import _complete, _model, _options
from tkit.cli._command import tkit_command

if TYPE_CHECKING:
    from tkit.keras_files.formats import Pixels
    from tkit.stages.evaluate import Split


@tkit_command(__doc__)
@click.argument("subject", metavar="RUN|FILE|BUNDLE", type=click.Path(path_type=Path), shell_complete=_complete.runs)
@_model.data_option
@click.option(
    "--split",
    type=click.Choice(["test", "validation", "train"]),
    default="test",
    help="Which split of the images. [default: test]",
)
@_options.variant_option
@_model.format_option
@_model.pixels_option
@click.option("--mirror", is_flag=True, help="Average the scores of each image and its mirror image (test-time flip).")
@click.option(
    "--inception",
    metavar="FILE",
    type=click.Path(path_type=Path),
    help="Of made images FID and Inception Score too, by classify_image_graph_def.pb (Inception of 2015).",
)
@click.option(
    "--at-least",
    metavar="SHARE",
    type=click.FloatRange(0, 1),
    help="End with exit code 3 below this accuracy, such as 0.9.",
)
@click.option("--by-interval", is_flag=True, help="Compare --at-least with the lower end of the 95 % interval.")
@click.option("--output", metavar="DIR", type=click.Path(file_okay=False, path_type=Path), help="Write results here.")
@_options.skip_bad_option
@_options.runs_dir_option
@_options.json_option
@_options.overrides_argument
def command(
    subject: Path,
    data: str | None,
    split: Split,
    variant: str | None,
    format: str | None,
    pixels: Pixels | None,
    mirror: bool,
    inception: Path | None,
    at_least: float | None,
    by_interval: bool,
    output: Path | None,
    skip_bad: bool,
    runs_dir: Path | None,
    as_json: bool,
    overrides: tuple[str, ...],
) -> None:
    """`tkit evaluate`."""
    from tkit.cli._evaluation import text

    if by_interval and at_least is None:
        raise click.UsageError("--by-interval changes how --at-least is compared: give both.")
    with _options.results(as_json, "evaluate") as show:
        _options.silence_tensorflow()
        from tkit.stages.evaluate import require

        result = tkit.evaluate(
            subject,
            data=data,
            split=split,
            variant=variant,
            format=format,
            pixels=pixels,
            mirror=mirror,
            inception=inception,
            output=output,
            runs_dir=runs_dir,
            overrides=(*_options.skip(skip_bad), *overrides),
        )
        if at_least is not None:
            require(result, at_least, by_interval=by_interval)
        show(result, text(result, _options.stdout_width()))
