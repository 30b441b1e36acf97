"""A read-only, bounds-checked reader of .tflite files: tensors, operators, quantization; it needs no runtime.

Every offset is checked before it is followed, buffers stay views of the file, and what may be read in all is
limited: a damaged or hostile file ends in an InputError. The reader looks at the main graph (the file's
first); the bodies of loops and conditions are not read.

Source: flatbuffers.dev/internals and TensorFlow Lite's schema.fbs (version 3).
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np

from tkit_edge.errors import InputError
from tkit_edge.flatbuffer_table import File, Table
from tkit_edge.graph import Graph, Operator, Tensor
from tkit_edge.opnames import BUILTIN_OPERATORS, TENSOR_TYPES, TYPE_BITS
from tkit_edge.options import LAYOUTS
from tkit_edge.sparse import Level, Sparsity

MAX_RANK = 16
_SPARSE_CSR = 1  # a stored dimension that isn't dense
_INDEX_TYPES = ("", "<i4", "<u2", "<u1")


def read(data: bytes, name: str = "the data") -> Graph:
    """The main graph of a .tflite file.

    Args:
        data: the file's bytes.
        name: what error messages call it.

    Raises:
        InputError: the bytes are no whole .tflite file.

    Example: `read(Path("model.tflite").read_bytes()).operators[0].name`
    """
    file, model = _open(data, name)
    codes = _operator_versions(model)
    subgraphs = model.tables(2)
    main = next(subgraphs, None)
    if main is None:
        raise file.damaged("it holds no graph")
    buffers = model.positions(4)
    tensors = tuple(_tensor(file, table, buffers) for table in main.tables(0))
    operators = []
    for table in main.tables(3):
        code = table.number(0, "I", 0)
        if code >= len(codes):
            raise file.damaged(f"an operator has code {code} of {len(codes)}")
        name_of, version = codes[code]
        options = _options(file, table, name_of)
        operators.append(Operator(name_of, table.numbers(1), table.numbers(2), options, version))
    graph = Graph(tensors, tuple(operators), main.numbers(1), main.numbers(2), _signature_names(model))
    _check_references(file, graph)
    return graph


def main_graph_places(data: bytes, name: str) -> tuple[int, int]:
    """Where the main graph's list of operators begins, and its reference to its outputs is; raises like `read`."""
    file, model = _open(data, name)
    main = next(model.tables(2), None)
    outputs = None if main is None else main.field(2)
    if main is None or outputs is None:
        raise file.damaged("it holds no graph with outputs")
    return main.vector(3, 4)[0] - 4, outputs


def _signature_names(model: Table) -> dict[int, str]:
    """What the main graph's signature calls its tensors, by their numbers; of several signatures the first counts."""
    for signature in model.tables(7):
        if signature.number(4, "I", 0) == 0:
            tensors = [*signature.tables(0), *signature.tables(1)]
            return {item.number(1, "I", 0): item.text(0) for item in tensors}
    return {}


class Storage(NamedTuple):
    """What lies in a .tflite file beside its main graph."""

    description: str
    """What the converter wrote of itself."""
    graphs: int
    """The main graph and the bodies of loops and conditions."""
    buffers: tuple[int, ...]
    """Each buffer's bytes, by its number."""
    metadata: tuple[tuple[str, int], ...]
    """Names of metadata, and the buffers that hold them."""
    operators: tuple[tuple[str, int], ...]
    """The operators of all graphs, each with the version that a runtime has to have."""


def storage(data: bytes, name: str = "the data") -> Storage:
    """The buffers, metadata and number of graphs of a .tflite file.

    Raises:
        InputError: the bytes are no whole .tflite file.
    """
    file, model = _open(data, name)
    sizes = tuple(len(_buffer(file, table)) for table in model.tables(4))
    metadata = tuple((table.text(0), table.number(1, "I", 0)) for table in model.tables(6))
    return Storage(model.text(3), len(model.positions(2)), sizes, metadata, _operator_versions(model))


def _open(data: bytes, name: str) -> tuple[File, Table]:
    file = File(data, name)
    if bytes(data[4:8]) != b"TFL3":
        found = "an empty file" if not data else f"{len(data)} bytes that begin with {bytes(data[:8])!r}"
        raise InputError(f"{name} is not a .tflite file: expected the mark TFL3 at byte 4, received {found}.")
    return file, Table(file, file.number("I", 0))


def _operator_versions(model: Table) -> tuple[tuple[str, int], ...]:
    return tuple((_operator_name(code), code.number(2, "i", 1)) for code in model.tables(1))


def _operator_name(code: Table) -> str:
    # Codes up to 126 are in the older byte field, the rest in the newer one; the larger of the two counts.
    number = max(code.number(0, "b", 0), code.number(3, "i", 0))
    if not 0 <= number < len(BUILTIN_OPERATORS):
        return f"BUILTIN_{number}"
    name = BUILTIN_OPERATORS[number]
    return f"CUSTOM:{code.text(1)}" if name == "CUSTOM" else name


def _options(file: File, operator: Table, name: str) -> dict[str, Any]:
    layout = LAYOUTS.get(name)
    if layout is None:
        return {}
    number, table = operator.number(3, "B", 0), operator.table(4)
    if table is not None and number != layout.number:
        raise file.damaged(f"{name} has options of type {number}, not {layout.number}")
    options: dict[str, Any] = {}
    for place, field in enumerate(layout.fields):
        value = field.default if table is None else table.number(place, field.kind, field.default)
        if field.values and not 0 <= value < len(field.values):
            raise file.damaged(f"{name} has {field.name} {value} of {len(field.values)}")
        options[field.name] = field.values[value] if field.values else value
    return options


def _tensor(file: File, table: Table, buffers: np.ndarray) -> Tensor:
    name = table.text(3)
    shape = table.numbers(0)
    if len(shape) > MAX_RANK or any(size < 0 for size in shape):
        raise file.damaged(f"tensor {name!r} has a shape of {len(shape)} sizes, the least {min(shape)}")
    number = table.number(1, "b", 0)
    dtype = TENSOR_TYPES[number] if 0 <= number < len(TENSOR_TYPES) else f"type_{number}"
    buffer = table.number(2, "I", 0)
    if buffer >= max(len(buffers), 1):
        raise file.damaged(f"tensor {name!r} has buffer {buffer} of {len(buffers)}")
    data = _buffer(file, Table(file, int(buffers[buffer]))) if buffer else memoryview(b"")
    sparsity = _sparsity(file, table.table(6), name)
    bits = TYPE_BITS.get(dtype)
    expected = None if bits is None or sparsity is not None else (math.prod(shape) * bits + 7) // 8
    if len(data) and expected is not None and expected != len(data):
        raise file.damaged(f"tensor {name!r} has {len(data)} bytes, its shape and type need {expected}")
    if sparsity is not None and bits is not None and len(data) * 8 % bits:
        raise file.damaged(f"the sparse tensor {name!r} has {len(data)} bytes, which no number of {dtype} takes")
    scales, zero_points, axis = np.empty(0, "<f4"), np.empty(0, "<i8"), 0
    quantization = table.table(4)
    if quantization is not None:
        scales, zero_points = quantization.array(2, "<f4"), quantization.array(3, "<i8")
        axis = quantization.number(6, "i", 0)
    signature = table.numbers(7) or shape
    return Tensor(name, shape, signature, dtype, buffer, data, scales, zero_points, axis, sparsity)


def _sparsity(file: File, table: Table | None, name: str) -> Sparsity | None:
    if table is None:
        return None
    levels = []
    for level in table.tables(2):
        segments, indices = (_index_vector(file, level, field, name) for field in (2, 4))
        sparse = level.number(0, "b", 0) == _SPARSE_CSR
        if sparse and (segments is None or indices is None or not len(segments)):
            raise file.damaged(f"the sparse tensor {name!r} has a level without segments or indices")
        levels.append(Level(0, segments, indices) if sparse else Level(level.number(1, "i", 0), None, None))
    return Sparsity(table.numbers(0), table.numbers(1), tuple(levels))


def _index_vector(file: File, level: Table, field: int, name: str) -> np.ndarray | None:
    """A union of three vector types: its number is in `field`, its table in the field that follows."""
    number, table = level.number(field, "B", 0), level.table(field + 1)
    if table is None:
        return None
    if not 0 < number < len(_INDEX_TYPES):
        raise file.damaged(f"the sparse tensor {name!r} has indices of type {number}")
    return table.array(0, _INDEX_TYPES[number])


def _buffer(file: File, table: Table) -> memoryview:
    start, length = table.number(1, "Q", 0), table.number(2, "Q", 0)
    if start > 1:  # bytes that lie behind the FlatBuffer proper, in files past 2 GB
        return file.span(start, length)
    start, length = table.vector(0, 1)
    return file.span(start, length)


def _check_references(file: File, graph: Graph) -> None:
    count = len(graph.tensors)
    for operator in graph.operators:
        if any(not -1 <= index < count for index in (*operator.inputs, *operator.outputs)):
            raise file.damaged(f"{operator.name} refers to a tensor outside the {count} there are")
    if any(not 0 <= index < count for index in (*graph.inputs, *graph.outputs)):
        raise file.damaged(f"the graph's inputs or outputs lie outside the {count} tensors there are")
