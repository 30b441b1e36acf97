"""The operators that C code has to be written for: views cost nothing, and tables of one input follow each other as one
table."""

from __future__ import annotations

from collections import Counter
from typing import NamedTuple

import numpy as np

from tkit.c_code import elementwise, moves, products, reductions
from tkit.c_code.text import TYPES
from tkit.integer.node import Node
from tkit_edge.errors import InputError
from tkit_edge.graph import Graph

EMITTERS = {**elementwise.EMITTERS, **moves.EMITTERS, **products.EMITTERS, **reductions.EMITTERS}
"""A function from a `Layer` to C, by operator."""


class Step(NamedTuple):
    """One operator, or several that are one table."""

    number: int
    """Of the last of its operators."""
    node: Node
    inputs: tuple[int, ...]
    """Numbers of its tensors, without those that only give a shape or an axis."""
    output: int
    table: np.ndarray | None
    """What each code of its one input becomes."""


def supported() -> tuple[str, ...]:
    """The operators that C can be written for."""
    return tuple(sorted({*EMITTERS, *moves.VIEWS, *elementwise.ONE_INPUT}))


def check(graph: Graph, name: str) -> None:
    """Raises InputError unless the graph called `name` is one of integers, fixed sizes and supported operators."""
    for index, operator in enumerate(graph.operators):
        kinds = {graph.tensors[number].dtype for number in operator.outputs}
        if operator.name != "DEQUANTIZE" and any("float" in kind for kind in kinds):
            raise InputError(
                f"{name} is not an int8 file: operator {index}, {operator.name}, outputs {', '.join(sorted(kinds))}. "
                "Export it with export.formats=int8."
            )
    if any(tensor.sparsity is not None for tensor in graph.tensors):
        raise InputError(f"{name} is stored without its zeros, which C can't read. Export it with export.sparse=false.")
    lacking = [
        f"{operator.name} (operator {index}, {', '.join(graph.tensors[number].name for number in operator.outputs)})"
        for index, operator in enumerate(graph.operators)
        if operator.name not in supported()
    ]
    if lacking:
        raise InputError(
            f"{name}: no C can be written for {'; '.join(lacking)}. It can for {', '.join(supported())}. "
            "Replace the others in the model, or run the file with TFLite Micro."
        )
    for number in {*graph.inputs, *graph.outputs, *(each for operator in graph.operators for each in operator.outputs)}:
        tensor = graph.tensors[number]
        if 0 in tensor.shape or -1 in tensor.signature:
            shape = list(tensor.signature)
            raise InputError(f"{name} has a tensor {tensor.name!r} of shape {shape}; expected fixed sizes.")
        if tensor.dtype not in TYPES or len(tensor.data):
            kind = f"a constant {tensor.dtype}" if len(tensor.data) else tensor.dtype
            raise InputError(f"{name} computes {tensor.name!r}, {kind}; expected {', '.join(TYPES)}.")


def steps(graph: Graph, name: str) -> tuple[list[Step], dict[int, int]]:
    """What is to be computed, in order.

    Args:
        graph: one that `check` accepts.
        name: the file's name in error messages.

    Returns:
        The steps, and of each tensor that is another's memory the number of that one.
    """
    views: dict[int, int] = {}
    found: dict[int, Step] = {}
    readers = Counter(number for operator in graph.operators for number in operator.inputs)
    for index, operator in enumerate(graph.operators):
        node = Node.of(graph, index, name, xnnpack=False)
        output = operator.outputs[0]
        if operator.name in moves.VIEWS:
            if len(node.tensor(0).data) or node.tensor(0).size != node.output.size:
                raise node.error(f"makes {list(node.output.shape)} of {list(node.tensor(0).shape)}")
            views[output] = views.get(operator.inputs[0], operator.inputs[0])
            readers[views[output]] += readers[output]
            if output in graph.outputs or operator.inputs[0] in graph.outputs:
                readers[views[output]] += 1
            continue
        table = elementwise.table(node)
        numbers = tuple(views.get(number, number) for number in operator.inputs)
        if table is not None:
            numbers = tuple(number for number in numbers if not len(graph.tensors[number].data))
            before = found.get(numbers[0])
            if before is not None and before.table is not None and _read_once(numbers[0], readers, graph):
                table = table[before.table.view(np.uint8)]
                numbers = before.inputs
                del found[before.output]
        found[output] = Step(index, node, numbers, output, table)
    return list(found.values()), views


def _read_once(number: int, readers: Counter[int], graph: Graph) -> bool:
    return readers[number] == 1 and number not in graph.outputs
