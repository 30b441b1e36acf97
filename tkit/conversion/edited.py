"""Changes a .tflite file by its schema."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import flatbuffers
from tensorflow.lite.python import schema_py_generated as schema

_ALIGNMENT = 16


class _Builder(flatbuffers.Builder):
    """Aligns byte vectors as the schema requires for buffers, which Python's builder doesn't do by itself."""

    def StartVector(self, elemSize: int, numElems: int, alignment: int) -> int:
        return super().StartVector(elemSize, numElems, _ALIGNMENT if elemSize == 1 else alignment)


def edited(data: bytes, change: Callable[[Any], None]) -> bytes:
    """The file after `change` was called with its `ModelT`."""
    model = schema.ModelT.InitFromObj(schema.Model.GetRootAs(bytearray(data), 0))
    change(model)
    builder = _Builder(len(data))
    builder.Finish(model.Pack(builder), b"TFL3")
    return bytes(builder.Output())
