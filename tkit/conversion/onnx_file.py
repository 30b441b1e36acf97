"""A Keras model as an ONNX file, through tf2onnx; the extra `onnx` installs what this needs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import keras
import numpy as np

from tkit._quiet import chatter_dropped
from tkit.conversion.traced import layers_at, traced
from tkit_edge.errors import InputError

OPSET = 17
"""Of ONNX 1.12: every ONNX Runtime since 1.12 (2022) has it, and layer normalization as an operator."""
_DOMAINS = ("", "ai.onnx", "ai.onnx.ml")


def onnx_file(model: keras.Model, outputs: Sequence[str]) -> bytes:
    """The file, with an open batch; its inputs have the names of the model's own.

    Args:
        model: float32 functional model.
        outputs: the names of the file's outputs.

    Raises:
        InputError: the extra isn't installed, or an operator that ONNX lacks; it and its layers are named.
    """
    onnx, tf2onnx = _required("onnx"), _required("tf2onnx")
    function, specs = traced(model, outputs, batch=None)
    try:
        with chatter_dropped(everything=True):
            made, _ = tf2onnx.convert.from_function(function, specs, opset=OPSET, custom_op_handlers=_HANDLERS)
    except Exception as error:  # tf2onnx raises anything for what it can't convert
        raise InputError(f"The model cannot be exported as ONNX: {str(error) or type(error).__name__}") from error
    strange = [node for node in _nodes(made.graph) if not _known(onnx, node)]
    if strange:
        layers = layers_at(model, [node.name for node in strange])
        where = f" (layers {', '.join(layers)})" if layers else ""
        raise InputError(
            f"The model cannot be exported as ONNX: opset {OPSET} has no operator for "
            f"{', '.join(sorted({node.op_type for node in strange}))}{where}."
        )
    for tensor in (*made.graph.input, *made.graph.output):
        tensor.type.tensor_type.shape.dim[0].dim_param = "batch"
    return bytes(made.SerializeToString())


def _required(name: str) -> Any:
    import importlib

    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        raise InputError(f"ONNX needs {error.name}, which is not installed: pip install 'keras-tkit[onnx]'") from error


def _nodes(graph: Any) -> Iterator[Any]:
    """A graph's operators, and those in the bodies of its loops and conditions."""
    for node in graph.node:
        yield node
        for attribute in node.attribute:
            for body in (attribute.g, *attribute.graphs):
                yield from _nodes(body)


def _erfc(graph: Any, node: Any, name: str, arguments: Any) -> None:
    """1 - erf(x): gelu is made of erfc, which ONNX and tf2onnx lack."""
    shapes, dtypes = [graph.get_shape(node.output[0])], [graph.get_dtype(node.output[0])]
    erf = graph.make_node("Erf", node.input, shapes=shapes, dtypes=dtypes)
    one = graph.make_const(f"{name}/one", np.float32(1))
    graph.remove_node(name)
    inputs = [one.output[0], erf.output[0]]
    graph.make_node("Sub", inputs, name=name, outputs=node.output, shapes=shapes, dtypes=dtypes)


_HANDLERS: dict[str, Any] = {"Erfc": (_erfc, [])}


def _known(onnx: Any, node: Any) -> bool:
    return node.domain in _DOMAINS and onnx.defs.has(node.op_type, OPSET, node.domain)
