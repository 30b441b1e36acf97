"""Gives transposed convolutions before a ReLU a bias: TensorFlow's converter fuses a ReLU only with a bias.

Without one, or with zeros, which the converter leaves out, a fake-quantized graph's convolution and ReLU become float
operators: nothing says what the convolution's own range is.
"""

from __future__ import annotations

from typing import Any

import keras
import numpy as np

from tkit.graph import Part, clone, loaded, rewritten, users
from tkit.quantization.fake_quant import FakeQuant

_NEXT_TO_NOTHING = 1e-30
"""Not 0, so that the converter keeps it; in an int8 file's int32 it is 0."""


def with_fusible_relus(graph: keras.Model) -> keras.Model:
    """A fake-quantized `graph` with these biases; itself where it needs none."""
    taken = users(graph)

    def replace(node: Any) -> Part | None:
        layer = node.operation
        if not isinstance(layer, keras.layers.Conv2DTranspose) or (layer.use_bias and np.any(layer.bias.numpy())):
            return None
        rounded = all(user and isinstance(user.operation, FakeQuant) for user in taken[id(node.outputs[0])])
        if rounded and layer.activation is keras.activations.linear:
            return None
        bias = np.full(layer.filters, _NEXT_TO_NOTHING, np.float32)
        return loaded(clone(layer, use_bias=True), [layer.get_weights()[0], bias], layer.trainable)

    return rewritten(graph, replace)
