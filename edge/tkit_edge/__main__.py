"""The command line: `tkit-edge bench`, `check`, `predict`, `sample` and `archive`.

Exit codes: 0 done; 2 bad input, with one message; 3 a check that failed; 130 interrupted.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

import tkit_edge
from tkit_edge.commands import archive, bench, check, predict, sample
from tkit_edge.errors import TkitError


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


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="tkit-edge",
        description="Check, benchmark and use .tflite files on the device.",
        epilog=__doc__.split("\n\n")[1],
    )
    parser.add_argument("--version", action="version", version=f"tkit-edge {tkit_edge.__version__}")
    commands = parser.add_subparsers(required=True, metavar="bench|check|predict|sample|archive")
    for command in (bench, check, predict, sample, archive):
        command.add(commands)
    return parser


if __name__ == "__main__":
    sys.exit(main())
