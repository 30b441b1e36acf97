"""`tkit-edge sample`: make images with a generator."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

from tkit_edge.sample import DEFAULT_COUNT, STEPS


def add(parser: argparse.ArgumentParser) -> None:
    """Describes the command's options."""
    parser.description = (
        "Draw noise, run a generator's bundle on it, and write a grid of the images as a PNG file. A seed "
        "gives the same noise on every machine."
    )
    parser.epilog = "Examples: tkit-edge sample export --seed 7 --out grid.png; tkit-edge sample export --interpolate"
    parser.add_argument("bundle", type=Path, metavar="BUNDLE", help="a bundle's folder")
    parser.add_argument("--num", type=int, default=DEFAULT_COUNT, help="how many images (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=0, help="of the noise (default: %(default)s)")
    parser.add_argument(
        "--out", type=Path, default=Path("grid.png"), metavar="FILE", help="the grid (default: %(default)s)"
    )
    parser.add_argument(
        "--separate", type=Path, metavar="DIR", help="write each image as a file of its own too: DIR/0000.png ..."
    )
    parser.add_argument(
        "--class", dest="label", metavar="NAME", help="the class of all images (default: all classes by turns)"
    )
    parser.add_argument(
        "--interpolate",
        action="store_true",
        help=f"rows of {STEPS} images on the way from one latent vector to another",
    )
    parser.add_argument("--format", help="the bundle's file (default: int8 where there is one, else the first)")
    parser.add_argument("--threads", type=int, default=1, help="how many the kernels may use (default: %(default)s)")
    parser.add_argument("--json", action="store_true", help="print JSON")


def run(options: argparse.Namespace) -> None:
    """Writes the images, and prints where they are or the JSON document."""
    from tkit_edge import sample
    from tkit_edge.bundle import Bundle
    from tkit_edge.predict import opened
    from tkit_edge.text import counted

    sample.check_paths(options.out, options.separate)
    bundle = Bundle.read(options.bundle)
    sample.generator(bundle.input, bundle.output)
    fmt = options.format or bundle.default_format
    print(f"{bundle.path(fmt)}", file=sys.stderr)
    with opened(bundle, fmt, options.threads) as model:
        made = sample.sample(model, options.num, options.seed, options.label, options.interpolate)
    sample.write_grid(options.out, made.pixels, made.columns)
    if options.separate is not None:
        sample.write_separate(options.separate, made.pixels)
    if options.json:
        found = sample.document(
            made.pixels,
            model=str(bundle.path(fmt)),
            seed=options.seed,
            label=options.label,
            interpolate=options.interpolate,
            out=options.out,
            separate=options.separate,
        )
        print(json.dumps(found, indent=2))
    else:
        print(f"{options.out}: {counted(len(made.pixels), 'image')}, seed {options.seed}")
