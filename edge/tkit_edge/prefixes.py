"""A .tflite file cut off behind one of its operators, so that the runtime runs the graph up to there.

The file stays as it is, but for the length of the list of operators and the list of outputs, which is appended: a
FlatBuffer may refer to any place behind the reference.
"""

from __future__ import annotations

import struct

from tkit_edge import flatbuffer
from tkit_edge.errors import InputError
from tkit_edge.graph import Graph, Operator

NUMBERS = ("float", "int", "uint", "bool")
"""What the names of the types begin with that an output may have."""


def ends(graph: Graph) -> list[int]:
    """The numbers of operators behind which the graph can be cut: the last always, and those that give numbers."""
    cuttable = [number for number, operator in enumerate(graph.operators, 1) if _gives_numbers(graph, operator)]
    return sorted({*cuttable, len(graph.operators)} - {0})


def prefix(data: bytes, count: int, name: str) -> bytes:
    """The file up to its `count`-th operator; what the operators left give and don't take themselves are its outputs.

    Args:
        data: a .tflite file.
        count: of `ends`.
        name: what error messages call it.

    Raises:
        InputError: the bytes are no whole .tflite file, or its parts overlap.
    """
    graph = flatbuffer.read(data, name)
    operators, outputs = flatbuffer.main_graph_places(data, name)
    kept = graph.operators[:count]
    taken = {number for operator in kept for number in operator.inputs}
    made = [number for operator in kept for number in operator.outputs]
    left = [number for number in made if number not in taken and _is_number(graph, number)]
    if count == len(graph.operators):
        left = list(graph.outputs)
    cut = bytearray(data)
    cut += bytes(-len(cut) % 4)
    struct.pack_into("<I", cut, operators, count)
    struct.pack_into("<I", cut, outputs, len(cut) - outputs)
    cut += struct.pack(f"<I{len(left)}i", len(left), *left)
    found = flatbuffer.read(bytes(cut), name)
    if found.operators != kept or list(found.outputs) != left or found.inputs != graph.inputs:
        raise InputError(f"{name} can't be cut behind its operator {count}: parts of it overlap.")
    return bytes(cut)


def _gives_numbers(graph: Graph, operator: Operator) -> bool:
    return any(_is_number(graph, number) for number in operator.outputs)


def _is_number(graph: Graph, number: int) -> bool:
    return number >= 0 and graph.tensors[number].dtype.startswith(NUMBERS)
