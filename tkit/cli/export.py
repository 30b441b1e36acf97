"""Export a run's model to .tflite files, each checked against it.

Every file must pass the parity gate: it runs through LiteRT and is compared with the
trained model; if it misses the recipe's bound, the command ends with exit code 3.
Formats that a model can't be exported in are left out, unless they were asked for.
Your own .keras file becomes a run first: it needs --data.

--format chooses .tflite formats, or what else the model becomes, in a folder of its own:
C code for microcontrollers, ONNX, a SavedModel, the files of an app.

Examples:
  tkit export runs/digits_cnn-1
  tkit export runs/digits_cnn-1 export.io=uint8 export.formats=int8
  tkit export model.keras --data ./images --pixels 0-1
  tkit export model.keras --data ./images --pixels 0-1 --skip-failed
  tkit export runs/digits_cnn-1 --format c
  tkit export model-int8.tflite --format c --out ./firmware/model
  tkit export runs/digits_cnn-1 --json
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
    from tkit.run_folder import Run


@tkit_command(__doc__)
@_model.takes_a_model
@_options.variant_option
@click.option(
    "--format",
    "formats",
    metavar="NAME,...",
    shell_complete=_complete.forms,
    help="float32, float16, dynamic, int8, int16x8 (short for export.formats=NAME,...), or c, onnx, ...",
)
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    metavar="DIR",
    help="Folder of what isn't .tflite. [default: the variant's]",
)
@click.option(
    "--min-runtime",
    metavar="VERSION",
    help="Oldest runtime that must run the files: 1.4.0 (ai-edge-litert), 2.14.0 (tflite-runtime) ...",
)
@click.option("--skip-failed", is_flag=True, help="Leave out the formats that fail, and export the others.")
@_options.json_option
@_options.overrides_argument
def command(
    run: Path,
    data: str | None,
    pixels: Pixels | None,
    skip_bad: bool,
    runs_dir: Path | None,
    variant: str | None,
    formats: str | None,
    out: Path | None,
    min_runtime: str | None,
    skip_failed: bool,
    as_json: bool,
    overrides: tuple[str, ...],
) -> None:
    """`tkit export`."""
    from tkit.conversion import process

    tflite, forms = _split(formats)
    if out is not None and len(forms) != 1:
        raise click.UsageError("--out is the folder of one --format that isn't .tflite, such as c.")
    if tflite:
        overrides = (f"export.formats={','.join(tflite)}", *overrides)
    if min_runtime:
        overrides = (f'export.min_runtime="{min_runtime}"', *overrides)  # in quotes: 2.10 is no number
    with _options.results(as_json, "handover" if forms else "export") as show:
        process.start()
        subject: Run | Path = run
        if run.suffix != ".tflite" and not (run / "bundle.json").is_file():
            subject = opened = _model.open_run(run, data, pixels, runs_dir, skip_bad, overrides)
            _options.silence_tensorflow()
            if tflite or not forms:
                tkit.export(opened, variant=variant, skip_failed=skip_failed)
        elif not forms:
            raise click.UsageError(f"{run} is exported already; --format c, say, writes what else it becomes.")
        if not forms:
            return show(opened.summary("export", variant), str(opened.variant_folder(variant) / "export"))
        made = [tkit.hand_over(subject, form, variant=variant, out=out, runs_dir=runs_dir) for form in forms]
        show({"handovers": [dict(item) for item in made]}, "\n".join(item["folder"] for item in made))


def _split(formats: str | None) -> tuple[list[str], list[str]]:
    """The .tflite formats, and the other forms, of --format; InputError for a name that is neither."""
    from tkit.conversion.config import FORMATS
    from tkit.handovers import shown_kinds
    from tkit_edge.errors import InputError
    from tkit_pipelines.config import did_you_mean

    names = [name.strip() for name in (formats or "").split(",") if name.strip()]
    forms = [name for name in names if name not in FORMATS]
    for form in forms:
        if form.partition(":")[0] not in shown_kinds():
            raise InputError(f"Unknown format {form!r}.{did_you_mean(form, [*FORMATS, *shown_kinds()])}")
    return [name for name in names if name not in forms], forms
