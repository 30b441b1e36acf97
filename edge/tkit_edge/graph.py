"""The graph of a .tflite file, and what its shapes tell: multiply-accumulates and parameters."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from tkit_edge.errors import InputError
from tkit_edge.sparse import Sparsity, dense

UNPACKING = ("DEQUANTIZE", "DENSIFY")
# What these cost can't be read off the shapes: loop counts, bodies in other graphs, foreign code.
_UNCOUNTABLE = """
    CALL IF WHILE STABLEHLO_CASE STABLEHLO_COMPOSITE STABLEHLO_WHILE LSTM RNN SVDF
    UNIDIRECTIONAL_SEQUENCE_LSTM UNIDIRECTIONAL_SEQUENCE_RNN BIDIRECTIONAL_SEQUENCE_LSTM
    BIDIRECTIONAL_SEQUENCE_RNN STABLEHLO_CONVOLUTION STABLEHLO_DOT_GENERAL DELEGATE
"""


@dataclass(frozen=True)
class Tensor:
    """One tensor.

    `scales` is empty where it isn't quantized, and holds one value for each index of `axis` where it is per
    channel.
    """

    name: str
    shape: tuple[int, ...]
    signature: tuple[int, ...]
    """The shape with -1 where the size is open."""
    dtype: str
    buffer: int
    """The number of its buffer; tensors may share one."""
    data: memoryview
    """The constant's bytes, empty for what is computed at run time."""
    scales: np.ndarray
    zero_points: np.ndarray
    axis: int
    sparsity: Sparsity | None
    """Where the stored values of a constant lie that is stored without its zeros."""

    @property
    def size(self) -> int:
        """The number of elements."""
        return math.prod(self.shape)


def values(tensor: Tensor) -> np.ndarray:
    """A constant's values in its shape, 4-bit ones as int8; its type is one that NumPy has, or int4.

    Raises:
        InputError: it is stored without its zeros, and where they were doesn't fit its shape.
    """
    if tensor.dtype != "int4":
        stored = np.frombuffer(tensor.data, np.dtype(tensor.dtype).newbyteorder("<"))
        return stored.reshape(tensor.shape) if tensor.sparsity is None else _dense(stored, tensor)
    halves = np.frombuffer(tensor.data, np.uint8)
    # The lower half comes first; shifting it up and, with its sign, down again extends the sign.
    codes = np.stack([halves << 4, halves & 0xF0], axis=-1).view(np.int8) >> 4
    if tensor.sparsity is not None:
        return _dense(codes.reshape(-1), tensor)
    return codes.reshape(-1)[: tensor.size].reshape(tensor.shape)


def _dense(stored: np.ndarray, tensor: Tensor) -> np.ndarray:
    assert tensor.sparsity is not None
    return dense(stored, tensor.shape, tensor.sparsity, tensor.name)


def unpacked_from(graph: Graph) -> dict[int, int]:
    """Tensors that an operator unpacks from a constant when the file is loaded, and the numbers of the constants."""
    sources: dict[int, int] = {}
    for operator in graph.operators:
        if operator.name in UNPACKING and operator.inputs and operator.outputs:
            first = sources.get(operator.inputs[0], operator.inputs[0])
            if first >= 0 and len(graph.tensors[first].data):
                sources[operator.outputs[0]] = first
    return sources


@dataclass(frozen=True)
class Operator:
    """One operator: its builtin name (`CUSTOM:<name>` for a custom one) and tensor numbers, -1 for none."""

    name: str
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    options: Mapping[str, Any] = field(default_factory=dict)
    """Strides, padding, the fused activation ...: the fields that `tkit_edge.options` has for its name."""
    version: int = 1
    """That a runtime has to have of it."""


@dataclass(frozen=True)
class Graph:
    """The main graph of a .tflite file."""

    tensors: tuple[Tensor, ...]
    operators: tuple[Operator, ...]
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    names: Mapping[int, str] = field(default_factory=dict)
    """By the numbers of inputs and outputs, what the file's signature calls them; empty where it has none."""


def parameters(graph: Graph) -> int:
    """The number of weights: elements of float and quantized constants, a shared buffer counted once.

    Shapes, axes and other plain integers don't count; constants that the converter made (folded scalars) do.
    """
    sizes = {
        tensor.buffer: tensor.size
        for tensor in graph.tensors
        if len(tensor.data) and ("float" in tensor.dtype or len(tensor.scales))
    }
    return sum(sizes.values())


def macs(graph: Graph) -> int | None:
    """Multiply-accumulates of the convolutions and matrix products, for one run at the file's own shapes.

    Element-wise operators, pooling and biases don't count, as is usual. A padded convolution counts
    whole windows.

    Returns:
        The number, or None where the graph holds an operator whose cost its shapes don't tell (a loop, a
        custom one).

    Raises:
        InputError: an operator's tensors don't have the ranks that it needs.
    """
    if any(operator.name in _UNCOUNTABLE.split() or operator.name.startswith("CUSTOM") for operator in graph.operators):
        return None
    return sum(operator_macs(graph, operator) for operator in graph.operators)


def operator_macs(graph: Graph, operator: Operator) -> int:
    """The multiply-accumulates of one operator; 0 for those that do none, or whose cost isn't told.

    Raises:
        InputError: its tensors don't have the ranks that it needs.
    """

    def tensor(indices: tuple[int, ...], number: int, rank: int) -> Tensor:
        if number >= len(indices) or indices[number] < 0 or len(graph.tensors[indices[number]].shape) < rank:
            raise InputError(f"A damaged .tflite file: {operator.name} has no tensor {number} of rank {rank} or more.")
        return graph.tensors[indices[number]]

    name, inputs, outputs = operator.name, operator.inputs, operator.outputs
    if name == "CONV_2D":  # filter [out, height, width, in]
        return tensor(outputs, 0, 4).size * math.prod(tensor(inputs, 1, 4).shape[1:])
    if name == "DEPTHWISE_CONV_2D":  # filter [1, height, width, out]
        return tensor(outputs, 0, 4).size * math.prod(tensor(inputs, 1, 4).shape[1:3])
    if name == "CONV_3D":  # filter [depth, height, width, in, out]
        return tensor(outputs, 0, 5).size * math.prod(tensor(inputs, 1, 5).shape[:4])
    if name == "TRANSPOSE_CONV":  # filter [out, height, width, in]; every input pixel meets the whole filter
        return tensor(inputs, 2, 4).size * math.prod(tensor(inputs, 1, 4).shape[:3])
    if name == "FULLY_CONNECTED":  # weights [out, in]
        return tensor(outputs, 0, 1).size * tensor(inputs, 1, 2).shape[-1]
    if name == "BATCH_MATMUL":  # [..., rows, inner], either way round, times [..., inner, columns]
        output, left = tensor(outputs, 0, 2), tensor(inputs, 0, 2)
        return output.size * (left.shape[-1] * left.shape[-2] // max(output.shape[-2], 1))
    return 0
