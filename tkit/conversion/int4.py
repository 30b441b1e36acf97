"""Packs kernels of an int8 .tflite file in 4 bits, two codes per byte: half of their size.

The converter has no 4-bit kernels, the runtime has. Source: the TFLite schema's INT4, whose first code is the lower
half of a byte.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import keras
import numpy as np
from tensorflow.lite.python import schema_py_generated as schema

from tkit.conversion.edited import edited
from tkit.kernels.exported import kernels
from tkit_edge import flatbuffer


def packed(data: bytes, layers: Iterable[str], source: keras.Model) -> bytes:
    """The file of `source` with the kernels of `layers` in 4 bits; their codes are -7 to 7."""
    found = kernels(flatbuffer.read(data), source)
    chosen = {kernel.number for layer in layers for kernel in found.get(layer, ())}

    def change(model: Any) -> None:
        (graph,) = model.subgraphs
        for tensor in (graph.tensors[index] for index in sorted(chosen)):
            codes = np.asarray(model.buffers[tensor.buffer].data, np.uint8)
            if sum(other.buffer == tensor.buffer for other in graph.tensors) == 1:
                model.buffers[tensor.buffer].data = None
            halves = np.append(codes & 15, np.zeros(codes.size % 2, np.uint8))
            model.buffers.append(schema.BufferT())
            model.buffers[-1].data = halves[0::2] | (halves[1::2] << 4)
            tensor.buffer, tensor.type = len(model.buffers) - 1, schema.TensorType.INT4

    return edited(data, change)
