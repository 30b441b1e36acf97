"""Where a program's tensors lie in its arena: views and what is computed in place share memory."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from tkit.c_code import arena, elementwise, text
from tkit.c_code.layer import Layer
from tkit.c_code.steps import Step
from tkit_edge.graph import Graph, Tensor

_MEMBERS = {"int32": ("words", 4), "float32": ("reals", 4)}


class Memory(NamedTuple):
    """The arena of a program."""

    graph: Graph
    homes: dict[int, int]
    offsets: dict[int, int]
    size: int
    """Bytes."""

    def address(self, number: int) -> str:
        """A pointer to a tensor, as a C expression."""
        dtype = self.graph.tensors[number].dtype
        member, width = _MEMBERS.get(dtype, ("bytes", 1))
        at = f"arena.{member} + {self.offsets[self.homes.get(number, number)] // width}"
        return at if dtype in (*_MEMBERS, "int8") else f"(uint8_t *)({at})"

    def declared(self, number: int, written: bool) -> str:
        """The declaration of a pointer to a tensor."""
        kind = text.c_type(self.graph.tensors[number].dtype)
        return f"{'' if written else 'const '}{kind} *t{number} = {self.address(number)};"

    def scratch(self, place: int) -> str:
        """The declaration of a pointer to the scratch memory of a step."""
        return f"int8_t *scratch = arena.bytes + {self.offsets[-1 - place]};"


def planned(graph: Graph, todo: Sequence[Step], layers: Sequence[Layer], views: dict[int, int]) -> Memory:
    """The memory of steps and their layers; `views` as `steps` returns them."""
    homes = _homes(graph, todo, views)
    buffers = _buffers(graph, todo, layers, homes)
    plan = arena.plan(list(buffers.values()))
    return Memory(graph, homes, dict(zip(buffers, plan.offsets, strict=True)), plan.size)


def _homes(graph: Graph, todo: Sequence[Step], views: dict[int, int]) -> dict[int, int]:
    """Of each tensor whose memory is another's the number of that one: views, and what is computed in place."""
    homes = dict(views)
    last = {number: place for place, step in enumerate(todo) for number in step.inputs if number >= 0}
    kept = {views.get(number, number) for number in graph.outputs}
    for place, step in enumerate(todo):
        if step.table is None and step.node.operator.name not in elementwise.IN_PLACE:
            continue
        output = graph.tensors[step.output]
        for number in step.inputs:
            tensor = graph.tensors[number] if number >= 0 else None
            if tensor is None or len(tensor.data) or number in kept or last[number] != place:
                continue
            if _width(tensor) == _width(output) and tensor.size == output.size:
                homes[step.output] = homes.get(number, number)
                break
    for number, home in homes.items():
        while homes.get(home, home) != home:
            home = homes[home]
        homes[number] = home
    return homes


def _buffers(
    graph: Graph, todo: Sequence[Step], layers: Sequence[Layer], homes: dict[int, int]
) -> dict[int, arena.Buffer]:
    """What needs memory, by the tensor's number; scratch memory has negative ones."""
    found: dict[int, arena.Buffer] = {}

    def needed(number: int, at: int) -> None:
        tensor = graph.tensors[number]
        if len(tensor.data):
            return
        home = homes.get(number, number)
        size = max(_width(tensor) * tensor.size, found[home].size if home in found else 0)
        first = min(at, found[home].first) if home in found else at
        last = max(at, found[home].last) if home in found else at
        found[home] = arena.Buffer(size, first, last)

    for number in graph.inputs:
        needed(number, -1)
    for place, (step, layer) in enumerate(zip(todo, layers, strict=True)):
        for number in (*step.inputs, step.output):
            if number >= 0:
                needed(number, place)
        if layer.scratch:
            found[-1 - place] = arena.Buffer(layer.scratch, place, place)
    for number in graph.outputs:
        needed(number, len(todo))
    return found


def _width(tensor: Tensor) -> int:
    return _MEMBERS.get(tensor.dtype, ("bytes", 1))[1]
