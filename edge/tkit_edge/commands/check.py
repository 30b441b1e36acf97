"""`tkit-edge check`: does this device compute what the exporting machine did."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from tkit_edge.outputs import SHARE_TOLERANCE, STEP_TOLERANCE


def add(parser: argparse.ArgumentParser) -> None:
    """Describes the command's options."""
    parser.description = (
        "Run a bundle's golden samples through each of its files and compare with the expected "
        "outputs. Another top-1 class fails where the expected one led by more than "
        f"{STEP_TOLERANCE} steps of a quantized output, or "
        f"{SHARE_TOLERANCE:.0%} of a float one's largest logit; another value where it differs by more than that."
    )
    parser.epilog = "Example: tkit-edge check export"
    parser.add_argument("bundle", type=Path, metavar="BUNDLE", help="a bundle's folder")
    parser.add_argument("--json", action="store_true", help="print JSON")


def run(options: argparse.Namespace) -> None:
    """Checks a bundle, and prints the outcomes or the JSON document."""
    import importlib.util

    from tkit_edge import check
    from tkit_edge.bundle import Bundle
    from tkit_edge.errors import BoundError
    from tkit_edge.inputs.image import Image

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
