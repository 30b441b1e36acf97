"""Make images with a generator, and see them in a grid.

A seed gives the same noise on every machine, so `tkit-edge sample` shows the same images
on a device. The exported int8 file makes them if there is one (--format chooses).
--nearest puts each sample's nearest training image on its right, and tells whether
samples are nearer to training images than held-out images are.

Examples:
  tkit sample runs/dcgan_digits-1 --num 64 --seed 7 --out grid.png
  tkit sample runs/dcgan_digits-1 --format keras --nearest --out nearest.png
  tkit sample runs/dcgan_digits-1 --interpolate --out walk.png
  tkit sample runs/dcgan_cifar10-1 --class cat --num 1000 --separate cats
  tkit sample runs/dcgan_digits-1/float/export --json
"""

from __future__ import annotations

from pathlib import Path

import click

import tkit
from tkit.cli import _complete, _model, _options
from tkit.cli._command import tkit_command


@tkit_command(__doc__)
@click.argument("subject", metavar="RUN|BUNDLE", type=click.Path(path_type=Path), shell_complete=_complete.runs)
@click.option("--num", type=int, default=64, show_default=True, help="How many images.")
@click.option("--seed", type=int, default=0, show_default=True, help="Of the noise.")
@click.option(
    "--out",
    metavar="FILE",
    type=click.Path(path_type=Path),
    default=Path("grid.png"),
    show_default=True,
    help="The grid.",
)
@click.option(
    "--separate",
    metavar="DIR",
    type=click.Path(file_okay=False, path_type=Path),
    help="Write each image as a file of its own too: DIR/0000.png ...",
)
@click.option(
    "--class",
    "label",
    metavar="NAME",
    shell_complete=_complete.classes,
    help="The class of all images. [default: all classes by turns]",
)
@click.option("--interpolate", is_flag=True, help="Rows of 8 images on the way from one latent vector to another.")
@click.option("--nearest", is_flag=True, help="Show the nearest training images too. Runs only.")
@_options.variant_option
@_model.format_option
@_options.runs_dir_option
@_options.json_option
@_options.overrides_argument
def command(
    subject: Path,
    num: int,
    seed: int,
    out: Path,
    separate: Path | None,
    label: str | None,
    interpolate: bool,
    nearest: bool,
    variant: str | None,
    format: str | None,
    runs_dir: Path | None,
    as_json: bool,
    overrides: tuple[str, ...],
) -> None:
    """`tkit sample`."""
    from tkit_edge.sample import document
    from tkit_edge.text import counted

    with _options.results(as_json, "samples") as show:
        _options.silence_tensorflow()
        made = tkit.sample(
            subject,
            num,
            seed=seed,
            label=label,
            interpolate=interpolate,
            nearest=nearest,
            out=out,
            separate=separate,
            variant=variant,
            format=format,
            runs_dir=runs_dir,
            overrides=overrides,
        )
        found = document(
            made.pixels,
            model=str(made.model),
            seed=seed,
            label=label,
            interpolate=interpolate,
            out=out,
            separate=separate,
        )
        found["nearest"] = None if made.nearest is None else made.nearest.as_json()
        lines = [f"{out}: {counted(len(made.pixels), 'image')}, seed {seed}"]
        lines += [] if made.nearest is None else [made.nearest.line()]
        show(found, "\n".join(lines))
