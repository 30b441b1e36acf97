"""The part of a bundle that a command needs: a bundle of fewer models."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path

from tkit_edge import files
from tkit_edge.bundle import Bundle


def members(bundle: Bundle, formats: Iterable[str], scratch: Path) -> dict[str, Path]:
    """The files that make a bundle of some of the models.

    Args:
        bundle: the whole one.
        formats: of the models.
        scratch: an empty folder for files that have to be written anew.

    Returns:
        Each file by its path in the bundle's folder, bundle.json last.

    Raises:
        InputError: a format that isn't there, or a damaged bundle.
    """
    chosen, golden = list(formats), bundle.golden_file
    paths = [bundle.path(fmt) for fmt in chosen]
    paths += [bundle.folder / name for name in bundle.input.attached]
    paths += [bundle.encoded(number) for number in range(golden.samples)]
    found = {str(path.relative_to(bundle.folder)): path for path in paths}
    found |= {name: bundle.folder / name for name in (golden.file, "bundle.json")}
    others = [fmt for fmt in bundle.models if fmt not in chosen]
    if others:
        found |= _rewritten(bundle, others, scratch)
    return found


def _rewritten(bundle: Bundle, others: list[str], scratch: Path) -> dict[str, Path]:
    """The golden samples and bundle.json without other formats."""
    path = bundle.folder / bundle.golden_file.file
    arrays = files.read_arrays(path, str(path), limit=None)
    for fmt in others:
        for name in [name for name in arrays if f"{name}_".startswith(f"expected_{fmt}_")]:
            del arrays[name]
    golden = scratch / path.name
    files.write_bytes(golden, files.npz_bytes(arrays))
    document = json.loads((bundle.folder / "bundle.json").read_text(encoding="utf-8"))
    document["models"] = {fmt: model for fmt, model in document["models"].items() if fmt not in others}
    document["golden"]["sha256"] = files.sha256(golden)
    files.write_bytes(scratch / "bundle.json", json.dumps(document).encode())
    return {path.name: golden, "bundle.json": scratch / "bundle.json"}
