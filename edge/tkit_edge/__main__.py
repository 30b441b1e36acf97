"""The command line: `tkit-edge bench`, `check`, `predict`, `sample` and `archive`.

Exit codes: 0 done; 2 bad input, with one message; 3 a check that failed; 130 interrupted.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import tkit_edge
from tkit_edge import archive, check, files, predict, sample
from tkit_edge.bench import DEFAULT_KERNELS, DEFAULT_SECONDS, bench
from tkit_edge.bundle import Bundle
from tkit_edge.errors import BoundError, InputError, TkitError
from tkit_edge.inputs.image import Image
from tkit_edge.outputs import SHARE_TOLERANCE, STEP_TOLERANCE
from tkit_edge.runtime import KERNELS
from tkit_edge.table import table
from tkit_edge.text import counted, terminal_width


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs a command; returns its exit code."""
    options = _parser().parse_args(arguments)
    try:
        options.command(options)
    except TkitError as error:
        print(f"tkit-edge: {error}", file=sys.stderr)
        return error.exit_code
    except KeyboardInterrupt:
        print("tkit-edge: interrupted", file=sys.stderr)
        return 130
    return 0


def _bench(options: argparse.Namespace) -> None:
    if options.output is not None and not options.output.parent.is_dir():
        raise InputError(f"--output {options.output}: the folder {options.output.parent} does not exist.")
    report = bench(
        options.path,
        threads=options.threads,
        kernels=options.kernels,
        formats=options.formats,
        seconds=options.seconds,
        test=options.test,
        also=options.also,
        progress=lambda line: print(line, file=sys.stderr, flush=True),
    )
    text = json.dumps(report.as_dict(), indent=2)
    if options.output is not None:
        files.write_bytes(options.output, (text + "\n").encode())
    print(text if options.json else table(report, terminal_width(sys.stdout)))


def _check(options: argparse.Namespace) -> None:
    bundle = Bundle.read(options.bundle)
    outcomes = check.check(bundle)
    unreadable = isinstance(bundle.input, Image) and importlib.util.find_spec("PIL") is None
    read = None if unreadable else check.check_inputs(bundle)
    if options.json:
        print(json.dumps(check.document(bundle, outcomes, read), indent=2))
    else:
        for outcome in outcomes:
            print(outcome.line())
        unread = "images not checked: Pillow is not installed (pip install pillow)"
        print(read.line() if read else unread)
    failed = [outcome.format for outcome in outcomes if outcome.failed]
    failed += [f"{bundle.input.example}s"] * bool(read and read.failed)
    if failed:
        raise BoundError(f"{options.bundle} does not run here as where it was exported: {', '.join(failed)}.")


def _predict(options: argparse.Namespace) -> None:
    bundle = Bundle.read(options.bundle)
    fmt = options.format or bundle.default_format
    print(f"{bundle.path(fmt)}", file=sys.stderr)
    with predict.opened(bundle, fmt, options.threads) as model:
        found = predict.predict(options.items, model, options.top)
    if options.json:
        print(json.dumps(predict.document(str(bundle.path(fmt)), found), indent=2))
    else:
        for item in found:
            if item.error is None:
                print(item.line())
    predict.raise_failures(found)


def _sample(options: argparse.Namespace) -> None:
    sample.check_paths(options.out, options.separate)
    bundle = Bundle.read(options.bundle)
    sample.generator(bundle.input, bundle.output)
    fmt = options.format or bundle.default_format
    print(f"{bundle.path(fmt)}", file=sys.stderr)
    with predict.opened(bundle, fmt, options.threads) as model:
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


def _archive(options: argparse.Namespace) -> None:
    print(archive.write(options.file))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="tkit-edge",
        description="Check, benchmark and use .tflite files on the device.",
        epilog=__doc__.split("\n\n")[1],
    )
    parser.add_argument("--version", action="version", version=f"tkit-edge {tkit_edge.__version__}")
    commands = parser.add_subparsers(required=True, metavar="bench|check|predict|sample|archive")
    _add_bench(commands)
    _add_check(commands)
    _add_predict(commands)
    _add_sample(commands)
    _add_archive(commands)
    return parser


def _add_bench(commands: Any) -> None:
    made = commands.add_parser(
        "bench",
        help="measure latency, memory and score",
        description="Measure speed, memory and score of a bundle's files or of one .tflite file.",
        epilog="Example: tkit-edge bench export --formats int8,float32 --threads 1,4 --output bench.json",
    )
    made.add_argument("path", type=Path, metavar="PATH", help="a bundle's folder or a .tflite file")
    made.add_argument("--threads", type=_numbers, help="thread counts, such as 1,2 (default: 1 and all cores)")
    made.add_argument(
        "--kernels",
        type=_names,
        default=DEFAULT_KERNELS,
        help=f"of {', '.join(KERNELS)} (default: {','.join(DEFAULT_KERNELS)})",
    )
    made.add_argument("--formats", type=_names, help="files of the bundle, such as int8,float32 (default: all)")
    made.add_argument(
        "--seconds",
        type=float,
        default=DEFAULT_SECONDS,
        help="measuring time of each configuration (default: %(default)s)",
    )
    made.add_argument(
        "--test", type=Path, metavar="FILE", help="an .npz file with images (or tokens ...) and labels, for the score"
    )
    made.add_argument(
        "--also",
        type=Path,
        metavar="FILE",
        action="append",
        default=[],
        help="another .tflite file, measured in the same rounds; may be given again",
    )
    made.add_argument("--json", action="store_true", help="print JSON instead of the table")
    made.add_argument("--output", type=Path, metavar="FILE", help="write the JSON to a file too")
    made.set_defaults(command=_bench)


def _add_check(commands: Any) -> None:
    made = commands.add_parser(
        "check",
        help="does this device compute what the exporting machine did",
        description="Run a bundle's golden samples through each of its files and compare with the expected "
        "outputs. Another top-1 class fails where the expected one led by more than "
        f"{STEP_TOLERANCE} steps of a quantized output, or "
        f"{SHARE_TOLERANCE:.0%} of a float one's largest logit; another value where it differs by more than that.",
        epilog="Example: tkit-edge check export",
    )
    made.add_argument("bundle", type=Path, metavar="BUNDLE", help="a bundle's folder")
    made.add_argument("--json", action="store_true", help="print JSON")
    made.set_defaults(command=_check)


def _add_predict(commands: Any) -> None:
    made = commands.add_parser(
        "predict",
        help="predict for images, texts or arrays",
        description="Run a bundle's model on what it takes: image files; texts, as they are, in .txt files or a line "
        "each on standard input (-); or .npz files with an array for each tensor of one example. Those that cannot be "
        "read are named; the others are predicted all the same, and the exit code is 2.",
        epilog='Examples: tkit-edge predict export cat.jpg ./more-images --top 3; tkit-edge predict export "so funny"',
    )
    made.add_argument("bundle", type=Path, metavar="BUNDLE", help="a bundle's folder")
    made.add_argument("items", nargs="+", metavar="ITEM", help="files, folders of them, or texts")
    made.add_argument("--format", help="the bundle's file (default: int8 where there is one, else the first)")
    made.add_argument("--top", type=int, help=f"classes shown of each (default: {predict.DEFAULT_TOP})")
    made.add_argument("--threads", type=int, default=1, help="how many the kernels may use (default: %(default)s)")
    made.add_argument("--json", action="store_true", help="print JSON")
    made.set_defaults(command=_predict)


def _add_sample(commands: Any) -> None:
    made = commands.add_parser(
        "sample",
        help="make images with a generator",
        description="Draw noise, run a generator's bundle on it, and write a grid of the images as a PNG file. A seed "
        "gives the same noise on every machine.",
        epilog="Examples: tkit-edge sample export --seed 7 --out grid.png; tkit-edge sample export --interpolate",
    )
    made.add_argument("bundle", type=Path, metavar="BUNDLE", help="a bundle's folder")
    made.add_argument("--num", type=int, default=sample.DEFAULT_COUNT, help="how many images (default: %(default)s)")
    made.add_argument("--seed", type=int, default=0, help="of the noise (default: %(default)s)")
    made.add_argument(
        "--out", type=Path, default=Path("grid.png"), metavar="FILE", help="the grid (default: %(default)s)"
    )
    made.add_argument(
        "--separate", type=Path, metavar="DIR", help="write each image as a file of its own too: DIR/0000.png ..."
    )
    made.add_argument(
        "--class", dest="label", metavar="NAME", help="the class of all images (default: all classes by turns)"
    )
    made.add_argument(
        "--interpolate",
        action="store_true",
        help=f"rows of {sample.STEPS} images on the way from one latent vector to another",
    )
    made.add_argument("--format", help="the bundle's file (default: int8 where there is one, else the first)")
    made.add_argument("--threads", type=int, default=1, help="how many the kernels may use (default: %(default)s)")
    made.add_argument("--json", action="store_true", help="print JSON")
    made.set_defaults(command=_sample)


def _add_archive(commands: Any) -> None:
    made = commands.add_parser(
        "archive",
        help="write tkit-edge as one file",
        description="Write tkit-edge as one file that any Python 3.9 or newer with numpy and a LiteRT runtime runs.",
        epilog="Example: tkit-edge archive tkit-edge.pyz; then, on the device: python3 tkit-edge.pyz bench export",
    )
    made.add_argument("file", type=Path, metavar="FILE", help="such as tkit-edge.pyz")
    made.set_defaults(command=_archive)


def _names(text: str) -> list[str]:
    return [name.strip() for name in text.split(",") if name.strip()]


def _numbers(text: str) -> list[int]:
    try:
        return [int(name) for name in _names(text)]
    except ValueError:
        raise argparse.ArgumentTypeError(f"expected numbers such as 1,2, received {text!r}") from None


if __name__ == "__main__":
    sys.exit(main())
