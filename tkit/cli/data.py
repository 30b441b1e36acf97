"""Look at data before training: counts, sizes, damaged files, repeats.

Reads everything once, skips what is bad, and lists what would stop a recipe from
training on it. Of texts also: lengths, unknown words, likely label errors.
Ends with exit code 0 if it could be read, even with problems.

Examples:
  tkit data ./images
  tkit data ./images.zip --output grid.png
  tkit data ./images --output test.npz --image-size 32,32
  tkit data ./labels.csv --image-size 96,96 --channels 1
  tkit data ./images data.resize=keras
  tkit data tfds:cifar10 --json
  tkit data ./reviews.csv
  tkit data ./reviews.jsonl data.text=body data.label=stars --output lengths.png
"""

from __future__ import annotations

from pathlib import Path

import click

from tkit.cli import _complete, _options
from tkit.cli._command import tkit_command


def _size(context: click.Context, option: click.Parameter, value: str | None) -> tuple[int, int] | None:
    if value is None:
        return None
    try:
        sides = [int(part) for part in value.split(",")]
        height, width = sides * 2 if len(sides) == 1 else sides
    except ValueError:
        raise click.BadParameter(f"expected HEIGHT,WIDTH in pixels, such as 32,32; received {value!r}.") from None
    return height, width


@tkit_command(__doc__)
@click.argument("source", metavar="DATA", shell_complete=_complete.files)
@click.option("--texts", is_flag=True, help="DATA holds texts, where its name, suffix or columns don't show it.")
@click.option(
    "--image-size",
    metavar="H,W",
    callback=_size,
    help="Size in pixels at which images are compared, shown and written. [default: 64,64]",
)
@click.option("--channels", type=click.Choice(["1", "3"]), help="1 for grey, 3 for colour. [default: 3]")
@click.option("--skip-bad", is_flag=True, help="Don't count what is bad as a problem, as with data.skip_bad=true.")
@click.option(
    "--output",
    metavar="FILE",
    type=click.Path(path_type=Path),
    help="A .png with a few images of each class, or the lengths of texts; or an .npz of the test examples.",
)
@_options.json_option
@_options.overrides_argument
def command(
    source: str,
    texts: bool,
    image_size: tuple[int, int] | None,
    channels: str | None,
    skip_bad: bool,
    output: Path | None,
    as_json: bool,
    overrides: tuple[str, ...],
) -> None:
    """`tkit data`."""
    with _options.results(as_json, "data") as show:
        _options.silence_tensorflow()
        from tkit.cli import _image_survey, _text_survey
        from tkit.stages.data import data
        from tkit_pipelines.text_survey import TextSurvey

        found = data(
            source,
            texts=texts,
            image_size=image_size,
            channels=None if channels is None else int(channels),
            skip_bad=skip_bad,
            overrides=overrides,
            output=output,
        )
        columns = _options.stdout_width()
        if isinstance(found, TextSurvey):
            document, lines = _text_survey.document(found, overrides), _text_survey.lines(found, overrides, columns)
        else:
            document, lines = _image_survey.document(found), _image_survey.lines(found, columns)
        show(document, "\n".join(map(_printable, lines)))


def _printable(line: str) -> str:
    """File names can be any bytes; a terminal takes text."""
    return line.encode("utf-8", "replace").decode()
