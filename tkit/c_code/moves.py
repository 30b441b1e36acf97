"""Operators that only move codes, in C: each is a copy of a part of one array to a part of another."""

from __future__ import annotations

import math
from collections.abc import Sequence

from tkit.c_code import text
from tkit.c_code.axes import merged, strides
from tkit.c_code.layer import Layer
from tkit.integer.kernels_shape import slices

_BYTES = {"int8": 1, "uint8": 1, "bool": 1, "int32": 4, "float32": 4}


def concatenation(layer: Layer) -> str:
    """CONCATENATION; all inputs have the output's scale and zero point."""
    node = layer.node
    shape = node.output.shape
    axis = node.operator.options["axis"] % max(len(shape), 1)
    code, start = [], 0
    for place in range(len(node.inputs)):
        tensor = node.tensor(place)
        if tensor.dtype == "int8" and node.quantization(place) != node.quantization():
            raise node.error("has inputs whose scales differ from its output's")
        to = strides(shape, shape)
        own = strides(tensor.shape, tensor.shape)
        code.append(_copy(layer, place, tensor.shape, own, 0, _steps(to, shape), start * math.prod(shape[axis + 1 :])))
        start += tensor.shape[axis]
    layer.produces(math.prod(shape[:axis]), start, math.prod(shape[axis + 1 :]))
    return "\n".join(code)


def pad(layer: Layer) -> str:
    """PAD with the code of zero."""
    node = layer.node
    shape, widths = node.tensor(0).shape, node.constant(1, "int32", 2)
    if widths.shape != (len(shape), 2) or widths.min() < 0:
        raise node.error(f"has the padding {widths.tolist()}")
    layer.produces(*(size + int(sum(around)) for size, around in zip(shape, widths, strict=True)))
    to = _steps(strides(node.output.shape, node.output.shape), node.output.shape)
    start = sum(int(before) * step for before, step in zip(widths[:, 0], to, strict=True))
    fill = f"memset({layer.write}, {node.quantization()[1]}, {node.output.size});"
    return f"{fill}\n{_copy(layer, 0, shape, strides(shape, shape), 0, to, start)}"


def transpose(layer: Layer) -> str:
    """TRANSPOSE."""
    node = layer.node
    shape, order = node.tensor(0).shape, node.constant(1, "int32", 1).tolist()
    if sorted(order) != list(range(len(shape))):
        raise node.error(f"has the order {order}")
    layer.produces(*shape)
    own = strides(shape, shape)
    target = node.output.shape
    return _copy(layer, 0, target, [own[axis] for axis in order], 0, strides(target, target), 0)


def strided_slice(layer: Layer) -> str:
    """STRIDED_SLICE, without new axes or an ellipsis."""
    node = layer.node
    shape = node.tensor(0).shape
    own = _steps(strides(shape, shape), shape)
    chosen = [*slices(node)]
    chosen += [slice(None)] * (len(shape) - len(chosen))
    sizes, steps, start = [], [], 0
    for part, size, step in zip(chosen, shape, own, strict=True):
        if isinstance(part, int):
            start += part % size * step
            continue
        taken = range(*part.indices(size))
        start += taken.start * step
        sizes.append(len(taken))
        steps.append(taken.step * step)
    layer.produces(*sizes)
    return _copy(layer, 0, sizes, steps, start, strides(sizes, sizes), 0)


def resize_nearest_neighbor(layer: Layer) -> str:
    """RESIZE_NEAREST_NEIGHBOR by whole factors: each pixel several times."""
    node = layer.node
    shape, target = node.tensor(0).shape, node.output.shape
    if node.operator.options["align_corners"] or len(shape) != 4 or target[1] % shape[1] or target[2] % shape[2]:
        raise node.error(f"resizes {list(shape)} to {list(target)}; expected whole factors, without align_corners")
    if node.tensor(0).dtype == "int8" and node.quantization(0) != node.quantization():
        raise node.error("has an input whose scale differs from its output's")
    _, height, width, channels = shape
    sizes = height, target[1] // height, width, target[2] // width, channels
    layer.produces(*sizes)
    return _copy(layer, 0, sizes, (width * channels, 0, channels, 0, 1), 0, strides(sizes, sizes), 0)


def gather(layer: Layer) -> str:
    """GATHER of rows of a table, by int32 ids."""
    node, options = layer.node, layer.node.operator.options
    table, ids = node.tensor(0), node.tensor(1)
    if options["axis"] or options["batch_dimensions"] or ids.dtype != "int32" or table.dtype not in _BYTES:
        raise node.error(f"takes {table.dtype} along axis {options['axis']} by {ids.dtype}; expected rows by int32")
    layer.produces(ids.size, *table.shape[1:])
    layer.use("gather")
    row = math.prod(table.shape[1:]) * _BYTES[table.dtype]
    call = f"gather({layer.read(0)}, {table.shape[0]}, {row}, {layer.read(1)}, {ids.size}, {layer.write})"
    return f"if ({call})\n    return -1;"


def _steps(own: Sequence[int], shape: Sequence[int]) -> list[int]:
    """Steps along axes of one too, where something shorter or longer lies beside."""
    return [step if step else math.prod(shape[axis + 1 :]) for axis, step in enumerate(own)]


def _copy(
    layer: Layer,
    place: int,
    shape: Sequence[int],
    source: Sequence[int],
    source_start: int,
    target: Sequence[int],
    target_start: int,
) -> str:
    """Copies elements of an input [shape], by the steps and the first index of both sides."""
    sizes, (steps, to) = merged(shape, (source, target))
    x, y = layer.read(place), layer.write
    if sizes and steps[-1] == 1 and to[-1] == 1:  # a run of neighbours
        run = sizes.pop() * _BYTES[layer.node.output.dtype]
        one, other = text.offset(sizes, to, target_start), text.offset(sizes, steps, source_start)
        return text.loops(sizes, f"memcpy({y} + {one}, {x} + {other}, {run});")
    one, other = text.offset(sizes, to, target_start), text.offset(sizes, steps, source_start)
    return text.loops(sizes, f"{y}[{one}] = {x}[{other}];")


EMITTERS = {
    "CONCATENATION": concatenation,
    "GATHER": gather,
    "PAD": pad,
    "RESIZE_NEAREST_NEIGHBOR": resize_nearest_neighbor,
    "STRIDED_SLICE": strided_slice,
    "TRANSPOSE": transpose,
}
VIEWS = ("EXPAND_DIMS", "RESHAPE", "SQUEEZE")
"""Whose output is its input's memory."""
