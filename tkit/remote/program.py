"""tkit-edge as one file."""

from __future__ import annotations

import zipapp
from pathlib import Path

import tkit_edge


def write(path: Path) -> Path:
    """Writes tkit-edge.pyz."""
    source = Path(tkit_edge.__file__).parent
    import shutil
    import tempfile

    with tempfile.TemporaryDirectory() as scratch:
        shutil.copytree(source, f"{scratch}/tkit_edge", ignore=shutil.ignore_patterns("__pycache__"))
        Path(scratch, "__main__.py").write_text("import sys\nfrom tkit_edge.__main__ import main\nsys.exit(main())\n")
        zipapp.create_archive(scratch, path, compressed=True)
    return path
