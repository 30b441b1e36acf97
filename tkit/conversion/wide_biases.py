"""Expands a scalar added after a transposed convolution to one value per channel, in a SavedModel.

TensorFlow's converter treats whatever is added after a transposed convolution as its bias, even a scalar: a bias of one
element, past whose end LiteRT reads.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf
from tensorflow.core.protobuf.saved_model_pb2 import SavedModel

_ADDITIONS = ("AddV2", "Add", "Sub")


def widen_biases(folder: Path) -> None:
    """Changes the SavedModel in `folder` in place."""
    path = folder / "saved_model.pb"
    saved = SavedModel.FromString(path.read_bytes())
    functions = [item for graph in saved.meta_graphs for item in graph.graph_def.library.function]
    transposed = [item for item in functions if any(node.op == "Conv2DBackpropInput" for node in item.node_def)]
    for function in transposed:
        _widen(function.node_def)
    if transposed:
        path.write_bytes(saved.SerializeToString())


def _widen(nodes: Any) -> None:
    constants = {f"{node.name}:output:0": node for node in nodes if node.op == "Const"}
    for node in [node for node in nodes if node.op in _ADDITIONS]:
        [shape] = node.attr["_output_shapes"].list.shape
        for index, number in ((index, constants.get(name)) for index, name in enumerate(node.input[:2])):
            if number is None or len(shape.dim) != 4:
                continue
            value = tf.make_ndarray(number.attr["value"].tensor)
            if value.size == 1:
                wide = nodes.add(name=f"{node.name}/wide_{index}", op="Const")
                wide.attr["dtype"].CopyFrom(number.attr["dtype"])
                wide.attr["value"].tensor.CopyFrom(
                    tf.make_tensor_proto(np.full(shape.dim[3].size, value.item(), value.dtype))
                )
                node.input[index] = f"{wide.name}:output:0"
