"""`tkit-edge archive`: write tkit-edge as one file."""

from __future__ import annotations

import argparse
from pathlib import Path


def add(parser: argparse.ArgumentParser) -> None:
    """Describes the command's options."""
    parser.description = (
        "Write tkit-edge as one file that any Python 3.9 or newer with numpy and a LiteRT runtime runs."
    )
    parser.epilog = "Example: tkit-edge archive tkit-edge.pyz; then, on the device: python3 tkit-edge.pyz bench export"
    parser.add_argument("file", type=Path, metavar="FILE", help="such as tkit-edge.pyz")


def run(options: argparse.Namespace) -> None:
    """Writes the file, and prints its name."""
    from tkit_edge import archive

    print(archive.write(options.file))
