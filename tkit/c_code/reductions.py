"""Pools, means and softmax in C."""

from __future__ import annotations

from tkit.c_code import text
from tkit.c_code.axes import merged, strides
from tkit.c_code.layer import Layer, single
from tkit.c_code.products import window_of
from tkit.integer.kernels_conv import windows
from tkit.integer.kernels_shape import mean_factor, reduced_axes
from tkit.integer.kernels_softmax import exponentials


def pool(layer: Layer) -> str:
    """AVERAGE_POOL_2D and MAX_POOL_2D."""
    node, options = layer.node, layer.node.operator.options
    shape = node.tensor(0).shape
    found = windows(node, shape, (options["filter_height"], options["filter_width"]))
    if node.quantization(0) != node.quantization():
        raise node.error("has an input whose scale differs from its output's")
    layer.produces(found[0].steps, found[1].steps, shape[-1])
    layer.use("rescale", "patch", "pools")
    average = int(node.operator.name == "AVERAGE_POOL_2D")
    return layer.call("pool", window_of(layer, shape, found), average, *node.bounds(), layer.read(0), layer.write)


def mean(layer: Layer) -> str:
    """MEAN over any axes: the division is part of the factor."""
    node = layer.node
    multiplier, shift = single(mean_factor(node))
    (zero_point, target), count = (node.quantization(0)[1], node.quantization()[1]), reduced_axes(node)[1]
    layer.use("rescale")
    sum_ = f"sum - ({zero_point * count})"
    code = f"clamped(rescale({sum_}, {multiplier}, {shift}, {int(shift < 0)}) + ({target}), -128, 127)"
    return _reduced(layer, "int32_t sum = 0;", "sum += {x};", f"(int8_t){code}")


def largest(layer: Layer) -> str:
    """REDUCE_MAX of int8 of one scale."""
    node = layer.node
    if node.quantization(0) != node.quantization():
        raise node.error("has an input whose scale differs from its output's")
    return _reduced(layer, "int8_t most = -128;", "most = {x} > most ? {x} : most;", "most")


def softmax(layer: Layer) -> str:
    """SOFTMAX over the last axis, of exponentials in a table."""
    node = layer.node
    table, count = exponentials(node)
    layer.use("rescale", "softmax")
    classes = node.output.shape[-1]
    name = layer.array("exponentials", table[:count], "int32")
    rows = node.tensor(0).size // classes
    layer.produces(rows, classes)
    return layer.call("softmax", name, count, rows, classes, layer.read(0), layer.write)


def _reduced(layer: Layer, start: str, step: str, result: str) -> str:
    """Loops over the axes that stay, and in them over those that are reduced."""
    node = layer.node
    shape = node.tensor(0).shape
    axes = reduced_axes(node)[0]
    own = strides(shape, shape)
    kept = [axis for axis in range(len(shape)) if axis not in axes]
    layer.produces(*(shape[axis] for axis in kept))
    sizes, (outer,) = merged([shape[axis] for axis in kept], ([own[axis] for axis in kept],))
    counts, (inner,) = merged([shape[axis] for axis in axes], ([own[axis] for axis in axes],))
    to = strides(sizes, sizes)
    base = text.offset(sizes, outer)
    at = text.offset(counts, inner, names="uvwxyz")
    inside = text.loops(counts, step.format(x=f"{layer.read(0)}[{base} + {at}]"), names="uvwxyz")
    body = f"{start}\n{inside}\n{layer.write}[{text.offset(sizes, to)}] = {result};"
    return text.loops(sizes, body, braces=True)


EMITTERS = {
    "AVERAGE_POOL_2D": pool,
    "MAX_POOL_2D": pool,
    "MEAN": mean,
    "REDUCE_MAX": largest,
    "SOFTMAX": softmax,
}
