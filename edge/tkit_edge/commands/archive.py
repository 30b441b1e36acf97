"""`tkit-edge archive`."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any


def add(commands: Any) -> None:
    """Adds the command's parser."""
    made = commands.add_parser(
        "archive",
        help="write tkit-edge as one file",
        description="Write tkit-edge as one file that any Python 3.9 or newer with numpy and a LiteRT runtime runs.",
        epilog="Example: tkit-edge archive tkit-edge.pyz; then, on the device: python3 tkit-edge.pyz bench export",
    )
    made.add_argument("file", type=Path, metavar="FILE", help="such as tkit-edge.pyz")
    made.set_defaults(command=run)


def run(options: argparse.Namespace) -> None:
    """Writes the file, and prints its name."""
    from tkit_edge import archive

    print(archive.write(options.file))
