"""What handovers write beside the model: class names, what the model takes and gives, vocabularies."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from tkit import files
from tkit_edge.inputs import Input
from tkit_edge.outputs import Output
from tkit_edge.outputs.classes import Classes

LABELS = "labels.txt"


def write_contract(folder: Path, input: Input, output: Output, **more: Any) -> None:
    """contract.json, as bundle.json describes input and output; labels.txt of a classifier; attached files."""
    found = {
        "input": {"kind": input.kind, **input.as_json()},
        "output": {"kind": output.kind, **output.as_json()},
        **more,
    }
    files.write_bytes(folder / "contract.json", (json.dumps(found, indent=2) + "\n").encode())
    for name, data in input.attached.items():
        files.write_bytes(folder / name, data)
    write_labels(folder, output)


def write_labels(folder: Path, output: Output) -> None:
    """labels.txt, a class per line, where the model is a classifier."""
    if isinstance(output, Classes):
        files.write_bytes(folder / LABELS, ("\n".join(output.names) + "\n").encode())
