"""tkit-edge as one file, `tkit-edge.pyz`, for any Python 3.9 or newer that has numpy and a LiteRT runtime: PEP 441.

tkit-edge archive tkit-edge.pyz
python tkit-edge.pyz bench export

Child processes and kinds by file name work from it too, and it can write itself again.
"""

from __future__ import annotations

import importlib
import io
import pkgutil
import zipfile
from pathlib import Path

from tkit_edge import files
from tkit_edge.errors import InputError

SHEBANG = b"#!/usr/bin/env python3\n"
MAIN = b"import sys\n\nfrom tkit_edge.__main__ import main\n\nsys.exit(main())\n"
_DATE = (1980, 1, 1, 0, 0, 0)  # the earliest that a zip file can hold: the same modules give the same bytes


def write(path: str | Path) -> Path:
    """Writes this package as one executable file, the same bytes for the same modules.

    Args:
        path: the file, such as `tkit-edge.pyz`.

    Returns:
        The path.

    Raises:
        InputError: its folder doesn't exist, or it can't be written.

    Example: `archive.write("tkit-edge.pyz")`
    """
    path = Path(path)
    if not path.parent.is_dir():
        raise InputError(f"Cannot write {path}: the folder {path.parent} does not exist.")
    files.write_bytes(path, content())
    path.chmod(0o755)
    return path


def content() -> bytes:
    """The file's bytes. Members are stored, not packed: zlib's versions pack differently."""
    buffer = io.BytesIO(SHEBANG)
    with zipfile.ZipFile(buffer, "a") as made:
        for name, source in sorted({"__main__.py": MAIN, **_sources("tkit_edge")}.items()):
            made.writestr(zipfile.ZipInfo(name, _DATE), source)
    return buffer.getvalue()


def _sources(package: str) -> dict[str, bytes]:
    """The text of a package's modules by file name, wherever Python imports them from."""
    root = importlib.import_module(package)
    names = ["__init__.py"]
    for module in pkgutil.walk_packages(root.__path__, f"{package}."):
        inside = module.name.partition(".")[2].replace(".", "/")
        names.append(f"{inside}/__init__.py" if module.ispkg else f"{inside}.py")
    return {f"{package}/{name}": _source(package, name) for name in names}


def _source(package: str, name: str) -> bytes:
    try:
        source = pkgutil.get_data(package, name)
    except OSError as error:
        raise InputError(f"{package}/{name} is not where {package} was imported from: install it again.") from error
    assert source is not None  # folders and zip files have data
    return source
