"""One operator of a graph with its tensors, from which the integer kernels are made."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from tkit.integer.fixed_point import round_half_away
from tkit_edge.errors import InputError
from tkit_edge.graph import Graph, Operator, Tensor, values

Kernel = Callable[..., np.ndarray]
"""A function of the operator's inputs in their order, including constants; activations are [n, ...] for any n."""


class Node(NamedTuple):
    """An operator, its tensors, and its name in messages."""

    operator: Operator
    inputs: tuple[Tensor | None, ...]
    output: Tensor
    where: str
    xnnpack: bool
    """Whether it is computed like XNNPACK instead of like the reference kernels."""

    @classmethod
    def of(cls, graph: Graph, index: int, name: str, xnnpack: bool) -> Node:
        """Operator `index` of the graph of the file `name`."""
        operator = graph.operators[index]
        where = f"{name}: operator {index}, {operator.name}"
        inputs = tuple(graph.tensors[number] if number >= 0 else None for number in operator.inputs)
        if len(operator.outputs) != 1 or operator.outputs[0] < 0:
            raise InputError(f"{where} has {len(operator.outputs)} outputs; expected 1.")
        return cls(operator, inputs, graph.tensors[operator.outputs[0]], where, xnnpack)

    def tensor(self, number: int) -> Tensor:
        """Input `number`, which is required."""
        tensor = self.optional(number)
        if tensor is None:
            raise self.error(f"lacks its input {number}")
        return tensor

    def optional(self, number: int) -> Tensor | None:
        """Input `number`, or None."""
        return self.inputs[number] if number < len(self.inputs) else None

    def constant(self, number: int, dtype: str, *ranks: int) -> np.ndarray:
        """The values of input `number`, which has to be a constant of that type and of one of the ranks.

        4-bit codes are int8 values in a small range.
        """
        tensor = self.tensor(number)
        known = "int8" if tensor.dtype == "int4" else tensor.dtype
        if not len(tensor.data) or tensor.sparsity is not None or known != dtype or len(tensor.shape) not in ranks:
            expected = f"a {dtype} constant of rank {' or '.join(map(str, ranks))}"
            raise self.error(f"has a {tensor.dtype} input {list(tensor.shape)}; expected {expected}")
        return values(tensor)

    def quantization(self, number: int | None = None) -> tuple[np.float32, int]:
        """Scale and zero point of int8 input `number`, or of the output."""
        tensor = self.output if number is None else self.tensor(number)
        if tensor.dtype != "int8":
            raise self.error(f"has {tensor.dtype} tensors; expected int8")
        return self.scale(tensor)

    def scale(self, tensor: Tensor) -> tuple[np.float32, int]:
        """Scale and zero point of a tensor with per-tensor quantization."""
        if len(tensor.scales) != 1 or len(tensor.zero_points) != 1:
            raise self.error(f"has {len(tensor.scales)} scales for tensor {tensor.name!r}; expected 1")
        return np.float32(tensor.scales[0]), int(tensor.zero_points[0])

    def bounds(self) -> tuple[int, int]:
        """The lowest and highest output codes that the fused activation allows."""
        activation = self.operator.options["activation"]
        limits = {"NONE": (None, None), "RELU": (0.0, None), "RELU6": (0.0, 6.0), "RELU_N1_TO_1": (-1.0, 1.0)}
        if activation not in limits:
            raise self.error(f"has the fused activation {activation}, which isn't supported")
        scale, zero_point = self.quantization()
        low, high = (
            None if limit is None else int(round_half_away(np.float32(limit) / scale)) + zero_point
            for limit in limits[activation]
        )
        return max(-128, low if low is not None else -128), min(127, high if high is not None else 127)

    def error(self, what: str) -> InputError:
        """An error that names the operator."""
        return InputError(f"{self.where} {what}.")
