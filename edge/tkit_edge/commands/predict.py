"""`tkit-edge predict`: predict for images, texts or arrays."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

from tkit_edge.outputs import DEFAULT_TOP


def add(parser: argparse.ArgumentParser) -> None:
    """Describes the command's options."""
    parser.description = (
        "Run a bundle's model on what it takes: image files; texts, as they are, in .txt files or a line "
        "each on standard input (-); or .npz files with an array for each tensor of one example. Those that cannot be "
        "read are named; the others are predicted all the same, and the exit code is 2."
    )
    parser.epilog = (
        'Examples: tkit-edge predict export cat.jpg ./more-images --top 3; tkit-edge predict export "so funny"'
    )
    parser.add_argument("bundle", type=Path, metavar="BUNDLE", help="a bundle's folder")
    parser.add_argument("items", nargs="+", metavar="ITEM", help="files, folders of them, or texts")
    parser.add_argument("--format", help="the bundle's file (default: int8 where there is one, else the first)")
    parser.add_argument("--top", type=int, help=f"classes shown of each (default: {DEFAULT_TOP})")
    parser.add_argument("--threads", type=int, default=1, help="how many the kernels may use (default: %(default)s)")
    parser.add_argument("--json", action="store_true", help="print JSON")


def run(options: argparse.Namespace) -> None:
    """Predicts, and prints a line for each item or the JSON document."""
    from tkit_edge import predict
    from tkit_edge.bundle import Bundle
    from tkit_edge.runtime import where

    bundle = Bundle.read(options.bundle)
    fmt = options.format or bundle.default_format
    print(f"{bundle.path(fmt)}", file=sys.stderr)
    with predict.opened(bundle, fmt, options.threads) as model:
        found = predict.predict(options.items, model, options.top)
    if options.json:
        print(json.dumps({**predict.document(str(bundle.path(fmt)), found), **where()}, indent=2))
    else:
        for item in found:
            if item.error is None:
                print(item.line())
    predict.raise_failures(found)
