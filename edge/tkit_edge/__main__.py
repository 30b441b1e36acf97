"""The command line: `tkit-edge bench`, `check`, `predict`, `sample` and `archive`.

Exit codes: 0 done; 2 bad input, with one message; 3 a check that failed; 130 interrupted.
"""

from __future__ import annotations

import argparse
import importlib
import io
import sys
from collections.abc import Sequence

import tkit_edge
from tkit_edge.errors import TkitError

COMMANDS = {
    "bench": "measure latency, memory, energy and score",
    "check": "does this device compute what the exporting machine did",
    "predict": "predict for images, texts or arrays",
    "sample": "make images with a generator",
    "archive": "write tkit-edge as one file",
}
"""Their summaries; the one that is run is imported."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs a command; returns its exit code."""
    arguments = sys.argv[1:] if arguments is None else arguments
    options = _parser(arguments).parse_args(arguments)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")  # a terminal that can't show a character still gets the others
    try:
        options.command(options)
    except TkitError as error:
        print(f"tkit-edge: {error}", file=sys.stderr)
        return error.exit_code
    except KeyboardInterrupt:
        print("tkit-edge: interrupted", file=sys.stderr)
        return 130
    return 0


def _parser(arguments: Sequence[str]) -> argparse.ArgumentParser:
    """The parser, with the options of the command that is asked for."""
    parser = argparse.ArgumentParser(
        prog="tkit-edge",
        description="Check, benchmark and use .tflite files on the device.",
        epilog=__doc__.split("\n\n")[1],
    )
    parser.add_argument("--version", action="version", version=f"tkit-edge {tkit_edge.__version__}")
    commands = parser.add_subparsers(required=True, metavar="|".join(COMMANDS))
    for name, summary in COMMANDS.items():
        made = commands.add_parser(name, help=summary)
        if name in arguments[:1]:
            command = importlib.import_module(f"tkit_edge.commands.{name}")
            command.add(made)
            made.set_defaults(command=command.run)
    return parser


if __name__ == "__main__":
    sys.exit(main())
