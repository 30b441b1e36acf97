"""Predict for images, texts or arrays.

What is given is read as in training and run through the exported int8 file if there
is one (--format chooses): image files and folders of them; for a model of texts a text
as it is, .txt files and folders of them, or - for a text per line of standard input.
What cannot be read is named; the others are still predicted, and the command ends with
exit code 2.

Examples:
  tkit predict runs/digits_cnn-1 seven.png
  tkit predict runs/digits_cnn-1/float/export ./images --top 3 --format float32
  tkit predict model.keras cat.jpg --pixels 0-1 data.resize=keras-crop
  tkit predict runs/sentences_transformer-1 "Slice the bread" "It rains" --json
  tkit predict runs/sentences_transformer-1 - < sentences.txt
  tkit predict runs/digits_cnn-1 seven.png --device ssh://pi@raspberrypi.local
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

import tkit
from tkit import console
from tkit.cli import _complete, _model, _options
from tkit.cli._command import tkit_command

if TYPE_CHECKING:
    from tkit.keras_files.formats import Pixels
    from tkit_edge.predict import Prediction


@tkit_command(__doc__)
@click.argument("subject", metavar="RUN|FILE|BUNDLE", type=click.Path(path_type=Path), shell_complete=_complete.runs)
@click.argument(
    "items",
    metavar="ITEM... [data.resize=RULE]",
    nargs=-1,
    required=True,
    shell_complete=_complete.files,
)
@click.option("--top", type=click.IntRange(min=1), help="Classes shown of each. [default: 5]")
@_options.variant_option
@_model.format_option
@_model.pixels_option
@_options.device_option()
@_options.install_option
@_options.runs_dir_option
@click.option(
    "--skip-bad", is_flag=True, help="Skip what is damaged: it is named, and the command ends with exit code 0."
)
@_options.json_option
def command(
    subject: Path,
    items: tuple[str, ...],
    top: int | None,
    variant: str | None,
    format: str | None,
    pixels: Pixels | None,
    device: str | None,
    install: bool,
    runs_dir: Path | None,
    skip_bad: bool,
    as_json: bool,
) -> None:
    """`tkit predict`."""
    from tkit_edge.predict import document, raise_failures

    with _options.results(as_json, "predictions") as show:
        _options.silence_tensorflow()
        items, overrides = _options.split_overrides(items)
        if device is not None:
            if pixels is not None or overrides:
                raise click.UsageError("--device goes with an exported bundle, which says how its items are read.")
            given = tkit.predict_on(
                device,
                subject,
                items,
                top=top,
                variant=variant,
                format=format,
                runs_dir=runs_dir,
                install=install,
            )
            found = _predictions(given)
            show(given, "\n".join(row["line"] for row in given["predictions"] if row["error"] is None))
        else:
            found = tkit.predict(
                subject,
                items,
                top=top,
                variant=variant,
                format=format,
                pixels=pixels,
                runs_dir=runs_dir,
                resize=_resize(overrides),
            )
            lines = [item.line() for item in found if item.error is None]
            show(document(str(subject), found), "\n".join(lines))
    if not skip_bad:
        raise_failures(found)
    for item in found:
        if item.error is not None:
            console.say(item.error)


def _resize(overrides: tuple[str, ...]) -> str | None:
    """The rule of the one override that predict takes."""
    resize = None
    for override in overrides:
        key, _, resize = override.partition("=")
        if key != "data.resize":
            raise click.UsageError(f"predict takes only data.resize=RULE, received {override!r}.")
    return resize


def _predictions(found: dict[str, Any]) -> list[Prediction]:
    """A device's predictions, without their answers."""
    from tkit_edge.predict import Prediction

    return [Prediction(str(row[key := next(iter(row))]), None, row["error"], key) for row in found["predictions"]]
