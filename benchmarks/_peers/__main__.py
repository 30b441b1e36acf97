"""Runs one tool: see the package."""

import importlib
import json
import re
import sys
import traceback
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from _peers.given import Given

PACKAGES = (
    "litert-quantizer",
    "hgq2",
    "pquant-ml",
    "model-compression-toolkit",
    "tensorflow",
    "keras",
)


def main(module: str, folder: str, file: str, *arguments: str) -> None:
    try:
        data = importlib.import_module(f"_peers.{module}").make(Given(Path(folder)), *arguments)
    except Exception as error:
        traceback.print_exc()
        first = next((line for line in str(error).splitlines() if line.strip()), "")
        # The converter says where in the graph it was, at great length.
        sys.exit(f"{type(error).__name__}: {re.sub(r'loc[(].*[)]: ', '', first)}")
    versions = {}
    for name in PACKAGES:
        try:
            versions[name] = version(name)
        except PackageNotFoundError:
            continue
    path = Path(file)
    path.write_bytes(data)
    path.with_suffix(".json").write_text(json.dumps(versions))


if __name__ == "__main__":
    main(*sys.argv[1:])
