"""Replaces operators without an int8 kernel in LiteRT by ones that have one, in a SavedModel on disk.

They are found in the graph, so it doesn't matter which layers use them: layer, group, RMS and unit normalization negate
and square. A GRU splits the result for its first state, a constant, which the converter left in float or not, by
chance.
"""

from __future__ import annotations

import shutil
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import tensorflow as tf
from tensorflow.core.protobuf.saved_model_pb2 import SavedModel

from tkit.quantization.functions import JUST_ABOVE_1

_OUTPUTS = {"Const": "output", "Slice": "output", "Relu": "activations", "Exp": "y", "Elu": "activations"}
_OUTPUTS |= {"Neg": "y", "Square": "y", "SquaredDifference": "z"}  # all others: z


class _Parts:
    """Creates the operators that replace a node, in its scope."""

    def __init__(self, nodes: Any, node: Any) -> None:
        self.nodes, self.node = nodes, node
        self.input = node.input[0]

    def op(self, kind: str, *inputs: str | float) -> str:
        """An operator's reference; numbers become constants."""
        taken = [self._number(item) if isinstance(item, float) else item for item in inputs]
        return self._reference(self._made(kind, taken))

    def slice(self, tensor: str, begin: list[int], size: list[int]) -> str:
        """The reference of a part of a tensor."""
        made = self._made("Slice", [tensor, self._number(begin, tf.int32), self._number(size, tf.int32)])
        made.attr["Index"].type = tf.int32.as_datatype_enum
        return self._reference(made)

    def last(self, kind: str, *inputs: str | float) -> None:
        """Turns the node itself into this operator."""
        taken = [self._number(item) if isinstance(item, float) else item for item in inputs]
        control = [item for item in self.node.input if item.startswith("^")]
        self.node.op = kind
        self.node.input[:] = [*taken, *control]

    def _made(self, kind: str, inputs: list[str]) -> Any:
        made = self.nodes.add(name=f"{self.node.name}/int8_{len(self.nodes)}", op=kind, input=inputs)
        made.attr["dtype" if kind == "Const" else "T"].CopyFrom(self.node.attr["T"])
        return made

    def _number(self, value: float | list[int], dtype: tf.DType | None = None) -> str:
        dtype = dtype or tf.as_dtype(self.node.attr["T"].type)
        made = self._made("Const", [])
        made.attr["dtype"].type = dtype.as_datatype_enum
        made.attr["value"].tensor.CopyFrom(tf.make_tensor_proto(value, dtype))
        return self._reference(made)

    def _reference(self, node: Any) -> str:
        return f"{node.name}:{_OUTPUTS.get(node.op, 'z')}:0"


def _negated(parts: _Parts) -> None:
    parts.last("Mul", parts.input, -1.0)


def _squared(parts: _Parts) -> None:
    parts.last("Mul", parts.input, parts.input)


def _squared_difference(parts: _Parts) -> None:
    difference = parts.op("Sub", *parts.node.input[:2])
    parts.last("Mul", difference, difference)


def _elu(parts: _Parts) -> None:
    # Not exp(min(x, 0)): the constant's scale would be used for both inputs of the minimum.
    below = parts.op("Mul", parts.op("Relu", parts.op("Mul", parts.input, -1.0)), -1.0)
    parts.last("AddV2", parts.op("Relu", parts.input), parts.op("Sub", parts.op("Exp", below), 1.0))


def _chosen(parts: _Parts, shared: Callable[[str], bool]) -> bool:
    """Gives a selection separate tensors: the converter clips its inputs to the range of its output."""
    taken = [item for item in parts.node.input if not item.startswith("^")]
    first = len(taken) - 2  # after a selection's condition
    if not any(map(shared, taken[first:])):
        return False
    # Equal multiplications would be merged into one, which the converter folds into the kernel of a preceding
    # convolution.
    nearly_1 = 1.0 + (JUST_ABOVE_1 - 1.0) * (1 + len(parts.nodes) % 64)
    own = [parts.op("Mul", item, nearly_1) if shared(item) else item for item in taken[first:]]
    parts.last(parts.node.op, *taken[:first], *own)
    return True


_REPLACED: dict[str, Callable[[_Parts], None]] = {
    "Neg": _negated,
    "Square": _squared,
    "SquaredDifference": _squared_difference,
    "Elu": _elu,
}


def with_int8_operators(folder: Path) -> Path:
    """The SavedModel in `folder`, or the folder, beside it, of a copy in which they are replaced."""
    saved = SavedModel.FromString((folder / "saved_model.pb").read_bytes())
    found = [_replaced(function) for graph in saved.meta_graphs for function in graph.graph_def.library.function]
    if not any(found):
        return folder
    copy = shutil.copytree(folder, folder.with_name(f"{folder.name}-int8-operators"), dirs_exist_ok=True)
    (copy / "saved_model.pb").write_bytes(saved.SerializeToString())
    return copy


def _replaced(function: Any) -> bool:
    moved: dict[str, str] = {}
    users = Counter(item for node in function.node_def for item in node.input)
    apart = False
    constants = {f"{node.name}:output:0": node.attr["value"].tensor for node in function.node_def if node.op == "Const"}
    gelu = _before(function.node_def, "Erfc", steps=2)  # the converter recognizes it by its parts
    for node in list(function.node_def):
        if node.name in gelu:
            continue
        if "T" in node.attr and node.attr["T"].type != tf.float32.as_datatype_enum:  # indices and sizes
            continue
        if node.op in _REPLACED:
            moved[f"{node.name}:{_OUTPUTS[node.op]}:0"] = f"{node.name}:z:0"
            _REPLACED[node.op](_Parts(function.node_def, node))
        elif node.op == "Split" and node.input[0] in constants:
            moved |= _sliced(_Parts(function.node_def, node), int(tf.make_ndarray(constants[node.input[0]])))
        elif node.op in ("SelectV2", "Maximum", "Minimum"):
            apart |= _chosen(_Parts(function.node_def, node), lambda item: users[item] > 1 and item not in constants)
    for node in function.node_def if moved else ():
        node.input[:] = [moved.get(item, item) for item in node.input]
    for key in function.ret if moved else ():
        function.ret[key] = moved.get(function.ret[key], function.ret[key])
    return apart or bool(moved)


def _before(nodes: Any, kind: str, steps: int) -> set[str]:
    """The names of an operator's nodes, and of those up to so many steps before them."""
    inputs = {node.name: [item.partition(":")[0] for item in node.input] for node in nodes}
    found = {node.name for node in nodes if node.op == kind}
    for _ in range(steps):
        found |= {item for name in found for item in inputs.get(name, ())}
    return found


def _sliced(parts: _Parts, axis: int) -> dict[str, str]:
    """Creates a slice for each output of a split along an axis of known size; returns the slices by the split's
    outputs."""
    moved = {}
    for number, shape in enumerate(parts.node.attr["_output_shapes"].list.shape):
        size = [item.size for item in shape.dim]  # -1, unknown, means everything to a slice
        if not size or size[axis] < 0:
            return {}
        begin = [0] * len(size)
        begin[axis] = number * size[axis]
        moved[f"{parts.node.name}:output:{number}"] = parts.slice(parts.node.input[1], begin, size)
    return moved
