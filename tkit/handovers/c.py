"""C99 for microcontrollers: the int8 file as `model.c` and `model.h`, without a runtime or a heap."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

from tkit.c_code.project import write_project
from tkit.handovers import Handover, Source
from tkit_edge.bundle import Bundle
from tkit_edge.errors import InputError


class C(Handover):
    """`model.c`, `model.h`, golden samples as a test, and the .tflite file as an array for TFLite Micro."""

    kind: Literal["c"] = "c"

    def write(self, source: Source, folder: Path) -> dict[str, Any]:
        """Writes the C files of the int8 model; golden samples are the bundle's, else drawn.

        Raises:
            InputError: no int8 file, no golden samples, or operators that C can't be written for.
        """
        if source.bundle is None:
            assert source.file is not None
            return write_project(source.file, source.name, folder)
        path = int8_file(source.bundle)
        return write_project(path, source.name, folder, source.bundle.golden().inputs)


def int8_file(bundle: Bundle) -> Path:
    """The file of a bundle that C is written of; InputError where it has none."""
    if "int8" not in bundle.models:
        raise InputError(
            f"C is written of the int8 file, and {bundle.folder} has {', '.join(bundle.models)}. "
            "Export it with export.formats=int8."
        )
    return bundle.path("int8")
