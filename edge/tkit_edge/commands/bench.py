"""`tkit-edge bench`: measure latency, memory, energy and score."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

from tkit_edge.errors import InputError
from tkit_edge.runtime import KERNELS
from tkit_edge.settings import DEFAULT_KERNELS, DEFAULT_PRECISION, DEFAULT_SECONDS, MOST, SWEEP


def add(parser: argparse.ArgumentParser) -> None:
    """Describes the command's options."""
    parser.description = "Measure speed, memory, energy and score of a bundle's files or of one .tflite file."
    parser.epilog = "Example: tkit-edge bench export --formats int8,float32 --threads 1,4 --output bench.json"
    parser.add_argument("path", type=Path, metavar="PATH", help="a bundle's folder or a .tflite file")
    parser.add_argument(
        "--threads",
        type=_threads,
        help=f"thread counts, such as 1,2, or {SWEEP}: 1, 2, 4 ... up to all cores (default: 1 and all cores)",
    )
    parser.add_argument(
        "--kernels",
        type=_names,
        default=DEFAULT_KERNELS,
        help=f"of {', '.join(KERNELS)} (default: {','.join(DEFAULT_KERNELS)})",
    )
    parser.add_argument("--formats", type=_names, help="files of the bundle, such as int8,float32 (default: all)")
    _add_time(parser)
    parser.add_argument("--operators", action="store_true", help="time each operator too")
    parser.add_argument(
        "--test", type=Path, metavar="FILE", help="an .npz file with images (or tokens ...) and labels, for the score"
    )
    parser.add_argument(
        "--also",
        type=Path,
        metavar="FILE",
        action="append",
        default=[],
        help="another .tflite file, measured in the same rounds; may be given again",
    )
    parser.add_argument(
        "--meter",
        type=Path,
        metavar="FILE",
        help="a power meter's CSV file: time,watts or time,volts,amps (default: the board's own sensors)",
    )
    parser.add_argument("--json", action="store_true", help="print JSON instead of the table")
    parser.add_argument("--output", type=Path, metavar="FILE", help="write the JSON to a file too")


def _add_time(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--seconds",
        type=float,
        default=DEFAULT_SECONDS,
        help="measuring time of each configuration, at least (default: %(default)s)",
    )
    parser.add_argument(
        "--precision",
        type=float,
        default=DEFAULT_PRECISION,
        help="measure on until each p50 is known within this share of it (default: %(default)s)",
    )
    parser.add_argument(
        "--most-seconds",
        type=float,
        help=f"measuring time of each configuration, at most (default: {MOST:g} times --seconds)",
    )


def run(options: argparse.Namespace) -> None:
    """Measures, and prints the table or the JSON document."""
    from tkit_edge import files
    from tkit_edge.bench import bench
    from tkit_edge.table import table
    from tkit_edge.text import terminal_width

    if options.output is not None and not options.output.parent.is_dir():
        raise InputError(f"--output {options.output}: the folder {options.output.parent} does not exist.")
    report = bench(
        options.path,
        threads=options.threads,
        kernels=options.kernels,
        formats=options.formats,
        seconds=options.seconds,
        most_seconds=options.most_seconds,
        precision=options.precision,
        operator_times=options.operators,
        test=options.test,
        also=options.also,
        meter=options.meter,
        progress=lambda line: print(line, file=sys.stderr, flush=True),
    )
    text = json.dumps(report.as_dict(), indent=2)
    if options.output is not None:
        files.write_bytes(options.output, (text + "\n").encode())
    print(text if options.json else table(report, terminal_width(sys.stdout)))


def _names(text: str) -> list[str]:
    return [name.strip() for name in text.split(",") if name.strip()]


def _threads(text: str) -> list[int] | str:
    if text == SWEEP:
        return text
    try:
        return [int(name) for name in _names(text)]
    except ValueError:
        raise argparse.ArgumentTypeError(f"expected numbers such as 1,2, or {SWEEP}, received {text!r}") from None
