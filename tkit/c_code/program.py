"""The C program of an int8 .tflite file: `model.c` and `model.h`.

Byte for byte what LiteRT's reference kernels compute, without a runtime, heap or files: weights are constants, and all
that is computed lies in one static block, the arena.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import NamedTuple

from tkit.c_code import elementwise, program_text, text
from tkit.c_code.layer import Layer, Parts
from tkit.c_code.memory import planned
from tkit.c_code.program_text import Port
from tkit.c_code.steps import EMITTERS, Step, check, steps
from tkit_edge import flatbuffer
from tkit_edge.graph import Graph


class Program(NamedTuple):
    """C text and what it needs."""

    source: str
    """`model.c`."""
    header: str
    """`model.h`."""
    inputs: tuple[Port, ...]
    outputs: tuple[Port, ...]
    arena_bytes: int
    constant_bytes: int
    """Weights and tables."""


def program(data: bytes, name: str = "the model") -> Program:
    """The C program of a file.

    Args:
        data: an int8 .tflite file's bytes.
        name: what messages and comments call it.

    Raises:
        InputError: no complete .tflite file, not int8 throughout, of open sizes, or with operators that C can't be
            written for: all of them are named.

    Example: `program(Path("model-int8.tflite").read_bytes()).source`
    """
    graph = flatbuffer.read(data, name)
    check(graph, name)
    todo, views = steps(graph, name)
    parts = Parts()
    layers = [Layer(step.node, step.number, parts, step.inputs, step.output) for step in todo]
    bodies = [_body(layer, step, graph) for layer, step in zip(layers, todo, strict=True)]
    memory = planned(graph, todo, layers, views)
    functions = []
    for place, (layer, step, body) in enumerate(zip(layers, todo, bodies, strict=True)):
        used = sorted({int(found) for found in re.findall(r"\$(\d+)", body)})
        pointers = [memory.declared(number, number == step.output) for number in used]
        pointers += [memory.scratch(place)] if layer.scratch else []
        functions.append(program_text.function(step, graph.tensors[step.output], pointers, body))
    taken = {"run"}
    inputs, outputs = (_ports(graph, side, memory.address, taken) for side in (graph.inputs, graph.outputs))
    return Program(
        program_text.source(name, parts, functions, (*inputs, *outputs)),
        program_text.header(name, inputs, outputs, memory.size),
        inputs,
        outputs,
        memory.size,
        sum(len(content) for _, content in parts.arrays),
    )


def _body(layer: Layer, step: Step, graph: Graph) -> str:
    if step.table is not None:
        return elementwise.look_up(layer, step.table, step.inputs[0], graph.tensors[step.inputs[0]].dtype)
    return EMITTERS[step.node.operator.name](layer)


def _ports(graph: Graph, numbers: Sequence[int], address: Callable[[int], str], taken: set[str]) -> tuple[Port, ...]:
    found = []
    for number in numbers:
        tensor = graph.tensors[number]
        name = text.identifier(graph.names.get(number, tensor.name))
        while name.lower() in taken:
            name += "_"
        taken.add(name.lower())
        found.append(Port(name, number, tensor, address(number)))
    return tuple(found)
