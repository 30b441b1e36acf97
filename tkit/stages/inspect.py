"""Taking .tflite files apart: one file, or those of a bundle or a run. Nothing in them is run."""

from __future__ import annotations

from pathlib import Path

from tkit_edge import files
from tkit_edge.anatomy import Anatomy, dissect
from tkit_edge.errors import InputError


def inspect(path: str | Path) -> dict[str, Anatomy]:
    """What a .tflite file, or each file of a bundle or run folder, is made of.

    Args:
        path: any .tflite file, or a folder below which there are some.

    Returns:
        By each file's name (relative to the folder, where one was given).

    Raises:
        InputError: no such path, no .tflite file in the folder, or bytes that are no whole .tflite file.

    Example:
        >>> [anatomy] = tkit.inspect("model.tflite").values()
        >>> anatomy.bytes_by_kind["weights"]
    """
    path = Path(path)
    if not path.is_dir():
        return {path.name: dissect(files.read_bytes(path), str(path))}
    found = sorted(path.rglob("*.tflite"))
    if not found:
        raise InputError(f"{path} holds no .tflite file. A run has some once it is exported: tkit export {path}")
    return {str(file.relative_to(path)): dissect(files.read_bytes(file), str(file)) for file in found}
