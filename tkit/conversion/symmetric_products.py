"""Makes the second factors of an int8 file's matrix products symmetric: with a zero point of 0 XNNPACK computes them.

Otherwise each of attention's products takes ten times as long or more (docs/log.md). The codes' range grows to the same
size on both sides, at the cost of up to one bit of what was all on one side.
"""

from __future__ import annotations

from collections import defaultdict
from typing import Any

import numpy as np

from tkit.conversion.edited import edited
from tkit_edge import flatbuffer

_PRODUCT = "BATCH_MATMUL"
_RESCALE = ("FULLY_CONNECTED", "CONV_2D", "ADD", "SUB", "MUL", "MEAN", "SUM", _PRODUCT)
"""Operators that bring what they compute to any scale."""
_CODES = 127


def symmetric_products(data: bytes) -> bytes:
    """The file with these tensors symmetric, where what makes them can rescale and only products read them."""
    graph = flatbuffer.read(data)
    readers: dict[int, list[str]] = defaultdict(list)
    makers: dict[int, str] = {}
    for operator in graph.operators:
        for index in operator.inputs:
            readers[index].append(operator.name)
        makers |= dict.fromkeys(operator.outputs, operator.name)
    seconds = {operator.inputs[1] for operator in graph.operators if operator.name == _PRODUCT}
    chosen = [
        index
        for index in sorted(seconds)
        if graph.tensors[index].dtype == "int8"
        and np.any(graph.tensors[index].zero_points)
        and makers.get(index) in _RESCALE
        and index not in graph.outputs
        and set(readers[index]) == {_PRODUCT}
    ]

    def change(model: Any) -> None:
        main = model.subgraphs[0]
        for index in chosen:
            (scale,), (zero,) = graph.tensors[index].scales, graph.tensors[index].zero_points
            largest = float(scale) * max(_CODES + 1 + int(zero), _CODES - int(zero))
            quantization = main.tensors[index].quantization
            quantization.scale = np.array([largest / _CODES], np.float32)
            quantization.zeroPoint = np.array([0], np.int64)

    return edited(data, change) if chosen else data
