"""Labels and the input's contract inside a .tflite file, where MediaPipe Tasks and Android Studio look for them.

A FlatBuffer of the published schema goes into the file's own metadata, and the label file, as an uncompressed zip
archive, behind its end. MediaPipe's wheel has a writer, but lacks the compiled module that this writer imports.

Source: metadata_schema.fbs (1.5.0) of TensorFlow Lite and MediaPipe, https://ai.google.dev/edge/litert/models/metadata.
"""

from __future__ import annotations

import io
import zipfile
from collections.abc import Callable, Sequence
from typing import Any

import flatbuffers
from tensorflow.lite.python import schema_py_generated as schema

from tkit.conversion.edited import edited
from tkit_edge.inputs import Input
from tkit_edge.inputs.image import Image
from tkit_edge.outputs import Output
from tkit_edge.outputs.classes import Classes

NAME = "TFLITE_METADATA"
LABELS = "labels.txt"
_IDENTIFIER = b"M001"
_PARSER_VERSION = "1.0.0"
"""The oldest reader that knows all that is used here."""
_IMAGE_PROPERTIES = 2  # numbers of the schema's unions and enumerations
_NORMALIZATION = 1
_RGB, _GRAYSCALE = 1, 2
_TENSOR_AXIS_LABELS = 2
_BEGINNING = (1980, 1, 1, 0, 0, 0)
"""The date of all archive members: the bytes depend on the labels alone."""


def with_metadata(data: bytes, *, name: str, input: Input, output: Output) -> bytes:
    """A .tflite file with its metadata; one that it had is replaced.

    Args:
        data: the file; where it takes an image, as float32 pixels of 0-255.
        name: what the model is called.
        input: what it takes.
        output: what it gives. The class names become its label file.

    Example: `Path("model.tflite").write_bytes(with_metadata(data, name="cats", input=input, output=output))`
    """
    labels = output.names if isinstance(output, Classes) else ()
    content = _metadata(name, input, output, labels)

    def change(model: Any) -> None:
        kept = [item for item in model.metadata or [] if item.name != NAME.encode()]
        buffer, entry = schema.BufferT(), schema.MetadataT()
        buffer.data = list(content)
        model.buffers.append(buffer)
        entry.name, entry.buffer = NAME, len(model.buffers) - 1
        model.metadata = [*kept, entry]

    return _with_labels(edited(data, change), labels)


def _with_labels(data: bytes, labels: Sequence[str]) -> bytes:
    if not labels:
        return data
    file = io.BytesIO(data)
    with zipfile.ZipFile(file, "a", zipfile.ZIP_STORED) as archive:
        archive.writestr(zipfile.ZipInfo(LABELS, _BEGINNING), "\n".join(labels) + "\n")
    return file.getvalue()


def _metadata(name: str, input: Input, output: Output, labels: Sequence[str]) -> bytes:
    """The ModelMetadata table."""
    make = _Tables()
    takes = [_input(make, spec.name, input) for spec in input.tensors]
    gives = [_output(make, spec.name, output, labels) for spec in output.tensors]
    graph = make.table([None, None, make.vector(takes), make.vector(gives)])
    version, text = make.text(_PARSER_VERSION), make.text(name)
    root = make.table([text, None, None, make.vector([graph]), None, None, None, version])
    make.builder.Finish(root, _IDENTIFIER)
    return bytes(make.builder.Output())


def _input(make: _Tables, name: str, input: Input) -> int:
    if not isinstance(input, Image):
        return make.table([make.text(name), make.text(f"One {input.example}.")])
    about = make.text(f"Pixels of 0 to 255 as they are; other sizes: {input.as_json()['resize']}.")
    size = make.table([_Number(input.width), _Number(input.height)])
    properties = make.table([_Byte(_GRAYSCALE if input.channels == 1 else _RGB), size])
    content = make.table([_Byte(_IMAGE_PROPERTIES), properties])
    as_they_are = make.table([make.floats([0.0]), make.floats([1.0])])  # mean, standard deviation
    unit = make.table([_Byte(_NORMALIZATION), as_they_are])
    range = make.table([make.floats([255.0]), make.floats([0.0])])  # largest, least
    return make.table([make.text(name), about, None, content, make.vector([unit]), range])


def _output(make: _Tables, name: str, output: Output, labels: Sequence[str]) -> int:
    if not labels:
        return make.table([make.text(name)])
    about = make.text("A probability per class." if output.saturated else "A score per class, before the softmax.")
    file = make.table([make.text(LABELS), make.text("The classes, one per line."), _Byte(_TENSOR_AXIS_LABELS)])
    return make.table([make.text(name), about, None, None, None, None, make.vector([file])])


class _Number(int):
    """A field of four bytes, not an offset."""


class _Byte(int):
    """A field of one byte."""


class _Tables:
    """Builds FlatBuffers tables by the numbers of their fields."""

    def __init__(self) -> None:
        self.builder = flatbuffers.Builder(1024)

    def text(self, text: str) -> int:
        return int(self.builder.CreateString(text))

    def floats(self, values: Sequence[float]) -> int:
        return self._vector(values, self.builder.PrependFloat32)

    def vector(self, offsets: Sequence[int]) -> int:
        return self._vector(offsets, self.builder.PrependUOffsetTRelative)

    def table(self, fields: Sequence[int | None]) -> int:
        """A table; None for a field that isn't there."""
        self.builder.StartObject(len(fields))
        for number, value in enumerate(fields):
            if value is None:
                continue
            add = self.builder.PrependUOffsetTRelativeSlot
            if isinstance(value, _Byte):
                add = self.builder.PrependUint8Slot
            elif isinstance(value, _Number):
                add = self.builder.PrependUint32Slot
            add(number, int(value), 0)
        return int(self.builder.EndObject())

    def _vector(self, values: Sequence[Any], prepend: Callable[[Any], None]) -> int:
        self.builder.StartVector(4, len(values), 4)
        for value in reversed(values):
            prepend(value)
        return int(self.builder.EndVector())
