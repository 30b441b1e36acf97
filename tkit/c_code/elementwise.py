"""Elementwise operators in C: lookup tables of one input, arithmetic of two."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from tkit.c_code import text
from tkit.c_code.axes import merged, strides
from tkit.c_code.layer import Layer, single
from tkit.integer import kernels_elementwise
from tkit.integer.fixed_point import factor
from tkit.integer.node import Node
from tkit_edge.graph import values

BYTES = ("int8", "uint8")
ONE_INPUT = ("HARD_SWISH", "LEAKY_RELU", "LOGISTIC", "QUANTIZE", "RELU", "RELU6", "RELU_N1_TO_1", "TANH")
"""Operators of one input whose results are a table."""
_TWO_INPUTS = ("ADD", "MUL", "SUB")


def table(node: Node) -> np.ndarray | None:
    """An operator that maps each code of one input to a code as the table [256] of it, by the codes' bytes; or None."""
    name = node.operator.name
    varying = [place for place, tensor in enumerate(node.inputs) if tensor is not None and not len(tensor.data)]
    known = ONE_INPUT if len(node.inputs) == 1 else _TWO_INPUTS if len(node.inputs) == 2 else ()
    if name not in known or len(varying) != 1 or node.output.dtype not in BYTES:
        return None
    tensors = [node.tensor(place) for place in range(len(node.inputs))]
    if tensors[varying[0]].dtype not in BYTES or any(len(item.data) and item.size > 1 for item in tensors):
        return None
    if tensors[varying[0]].size != node.output.size:
        raise node.error(f"makes {list(node.output.shape)} of {list(tensors[varying[0]].shape)}")
    codes = np.arange(256, dtype=np.uint8).view(tensors[varying[0]].dtype)
    arguments = [values(item).reshape(-1) if len(item.data) else codes for item in tensors]
    return kernels_elementwise.KERNELS[name](node)(*arguments)


def sum_or_difference(layer: Layer) -> str:
    """ADD and SUB."""
    node = layer.node
    (x_by, y_by, by), (low, high) = kernels_elementwise.sum_factors(node), node.bounds()
    fields: dict[str, object] = {"x_zero": node.quantization(0)[1], "y_zero": node.quantization(1)[1]}
    fields["x_multiplier"], fields["x_shift"] = single(x_by)
    fields["y_multiplier"], fields["y_shift"] = single(y_by)
    fields["multiplier"], fields["shift"] = single(by)
    fields["sign"] = 1 if node.operator.name == "ADD" else -1
    structure = layer.structure("addition", **fields, zero=node.quantization()[1], low=low, high=high)
    layer.use("rescale", "addition")
    return _of_two(layer, lambda x, y: f"sum_code({structure}, {x}, {y})")


def product(layer: Layer) -> str:
    """MUL."""
    node = layer.node
    multiplier, shift = single(factor(kernels_elementwise.product_factor(node)))
    low, high = node.bounds()
    structure = layer.structure(
        "multiplication",
        x_zero=node.quantization(0)[1],
        y_zero=node.quantization(1)[1],
        multiplier=multiplier,
        shift=shift,
        zero=node.quantization()[1],
        low=low,
        high=high,
    )
    layer.use("rescale", "multiplication")
    return _of_two(layer, lambda x, y: f"product_code({structure}, {x}, {y})")


def extreme(layer: Layer) -> str:
    """MINIMUM and MAXIMUM of int32, or of int8 of one scale."""
    node = layer.node
    tensors = node.tensor(0), node.tensor(1), node.output
    if len({item.dtype for item in tensors}) > 1 or node.output.dtype not in ("int8", "int32"):
        raise node.error(f"has {' and '.join(item.dtype for item in tensors)} tensors; expected all int8 or all int32")
    if node.output.dtype == "int8" and len({node.scale(item) for item in tensors}) > 1:
        raise node.error("has inputs whose scales differ from its output's")
    sign = "<" if node.operator.name == "MINIMUM" else ">"
    return _of_two(layer, lambda x, y: f"{x} {sign} {y} ? {x} : {y}")


def quantize(layer: Layer) -> str:
    """QUANTIZE of floats; that of codes is a table."""
    node = layer.node
    scale, zero_point = node.scale(node.output)
    limits = np.iinfo(kernels_elementwise.byte_type(node, node.output.dtype))
    if node.tensor(0).dtype != "float32":
        raise node.error(f"has a {node.tensor(0).dtype} input; expected float32, int8 or uint8")
    layer.use("rescale", "floats")
    kind = text.c_type(node.output.dtype)
    return _of_one(
        layer, lambda x: f"({kind})quantized({x}, {float(scale).hex()}f, {zero_point}, {limits.min}, {limits.max})"
    )


def dequantize(layer: Layer) -> str:
    """DEQUANTIZE of 8 bits."""
    node = layer.node
    kernels_elementwise.byte_type(node, node.tensor(0).dtype)
    scale, zero_point = node.scale(node.tensor(0))
    return _of_one(layer, lambda x: f"{float(scale).hex()}f * (float)({x} - ({zero_point}))")


def look_up(layer: Layer, codes: np.ndarray, source: int, dtype: str) -> str:
    """A table of all codes: from tensor `source`, whose type is `dtype`, to the operator's output."""
    name = layer.array("table", codes)
    index = "(uint8_t)" if dtype == "int8" else ""
    size = layer.node.output.size
    at = text.offset([size], [1])
    return text.loops([size], f"{layer.write}[{at}] = {name}[{index}${source}[{at}]];")


def _of_one(layer: Layer, value: Callable[[str], str]) -> str:
    size = layer.node.tensor(0).size
    layer.produces(size)
    at = text.offset([size], [1])
    return text.loops([size], f"{layer.write}[{at}] = {value(f'{layer.read(0)}[{at}]')};")


def _of_two(layer: Layer, value: Callable[[str, str], str]) -> str:
    node = layer.node
    shape = node.output.shape
    if np.broadcast_shapes(node.tensor(0).shape, node.tensor(1).shape) != shape:
        raise node.error(f"has inputs {list(node.tensor(0).shape)} and {list(node.tensor(1).shape)}")
    sources = [strides(node.tensor(place).shape, shape) for place in (0, 1)]
    sizes, (x, y, z) = merged(shape, (*sources, strides(shape, shape)))
    read = [f"{layer.read(place)}[{text.offset(sizes, steps)}]" for place, steps in ((0, x), (1, y))]
    return text.loops(sizes, f"{layer.write}[{text.offset(sizes, z)}] = {value(*read)};")


EMITTERS = {
    "ADD": sum_or_difference,
    "DEQUANTIZE": dequantize,
    "MAXIMUM": extreme,
    "MINIMUM": extreme,
    "MUL": product,
    "QUANTIZE": quantize,
    "SUB": sum_or_difference,
}
"""Those of one input that maps codes to codes are tables."""
IN_PLACE = ("ADD", "MAXIMUM", "MINIMUM", "MUL", "SUB", *ONE_INPUT)
"""Whose output may take the memory of an input of its size and type: each element is read before it is written."""
