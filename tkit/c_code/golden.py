"""Golden samples as codes, and `test_golden.c`, which runs them on the device.

The expected outputs are those of LiteRT's reference kernels, which the C program equals byte for byte.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

import numpy as np

from tkit.c_code import text
from tkit.c_code.program import Program
from tkit.c_code.program_text import Port
from tkit_edge import flatbuffer
from tkit_edge.graph import Graph
from tkit_edge.isolated import IsolatedModel
from tkit_edge.pixels import dequantized, pixel_codes, quantized
from tkit_edge.tensors import Arrays

SAMPLES = 8
"""Drawn of a file without a bundle."""


class GoldenCodes(NamedTuple):
    """What is in each input and output tensor, by its port's name: [n, ...] in the tensor's type."""

    inputs: Mapping[str, np.ndarray]
    outputs: Mapping[str, np.ndarray]


def golden_codes(program: Program, path: Path, examples: Arrays | None) -> GoldenCodes:
    """Samples as the tensors hold them, and the reference kernels' outputs.

    Args:
        program: of the file.
        path: the .tflite file.
        examples: inputs by the tensors' names, [n, ...], images as raw 0-255 pixels; None draws codes at random.

    Raises:
        InputError: the runtime can't run the file.
    """
    graph = flatbuffer.read(path.read_bytes(), str(path))
    codes = {
        port.name: _codes(port, examples[_name(graph, port)], str(path)) if examples else _drawn(port, graph)
        for port in program.inputs
    }
    values = {_name(graph, port): _values(port, codes[port.name]) for port in program.inputs}
    with IsolatedModel(path, kernels="reference") as model:
        found = model.run(values)
    outputs = {port.name: _codes(port, found[_name(graph, port)], str(path)) for port in program.outputs}
    return GoldenCodes(codes, outputs)


def golden_source(program: Program, golden: GoldenCodes) -> str:
    """`test_golden.c`."""
    count = len(next(iter(golden.inputs.values())))
    arrays, lines = [], []
    for port in (*program.inputs, *program.outputs):
        given = golden.inputs.get(port.name)
        array = golden.outputs[port.name] if given is None else given
        arrays.append(text.array(f"golden_{port.name}", array, port.tensor.dtype).replace(" ALIGNED", ""))
        there, size = f"golden_{port.name} + sample * {port.tensor.size}", array[0].nbytes
        if given is not None:
            lines.append(f"memcpy(model_{port.name}(), {there}, {size});")
        else:
            lines.append(f"failed |= memcmp(model_{port.name}(), {there}, {size}) != 0;")
    lines.insert(len(program.inputs), "int failed = model_run();")
    body = "\n".join(f"        {line}" for line in lines)
    definitions = "\n".join(arrays)
    return f"""\
/* Golden samples: exits with 0 where each has the outputs that LiteRT's reference kernels give. Made by tkit. */
#include "model.h"

#include <stdio.h>
#include <string.h>

#define SAMPLES {count}

{definitions}
int main(void)
{{
    int equal = 0;
    for (int sample = 0; sample < SAMPLES; sample++) {{
{body}
        equal += !failed;
    }}
    printf("%d of %d golden samples equal, arena %d bytes\\n", equal, SAMPLES, MODEL_ARENA_BYTES);
    return equal == SAMPLES ? 0 : 1;
}}
"""


def _name(graph: Graph, port: Port) -> str:
    return graph.names.get(port.number, port.tensor.name)


def _codes(port: Port, array: np.ndarray, name: str) -> np.ndarray:
    dtype, scale, zero_point = _quantization(port)
    if not scale:
        return array.astype(dtype)
    if array.dtype == np.uint8:
        return pixel_codes(dtype, scale, zero_point, "0-255", name)[:, 0][array]
    return quantized(array.astype(np.float32), dtype, scale, zero_point)


def _values(port: Port, codes: np.ndarray) -> np.ndarray:
    _, scale, zero_point = _quantization(port)
    return dequantized(codes, scale, zero_point) if scale else codes


def _quantization(port: Port) -> tuple[np.dtype, float, int]:
    tensor = port.tensor
    quantized_ = len(tensor.scales) == 1 and tensor.dtype in ("int8", "uint8")
    return (
        np.dtype(tensor.dtype),
        float(tensor.scales[0]) if quantized_ else 0.0,
        int(tensor.zero_points[0]) if quantized_ else 0,
    )


def _drawn(port: Port, graph: Graph) -> np.ndarray:
    """Codes at random; ids are drawn of the tables that they are looked up in."""
    random, shape = np.random.default_rng(port.number), (SAMPLES, *port.tensor.shape[1:])
    if port.tensor.dtype == "float32":
        return random.normal(0, 50, shape).astype(np.float32)
    if port.tensor.dtype == "int32":
        rows = [
            graph.tensors[operator.inputs[0]].shape[0]
            for operator in graph.operators
            if operator.name == "GATHER" and operator.inputs[1] == port.number
        ]
        return random.integers(0, min(rows, default=128), shape).astype(np.int32)
    limits = np.iinfo(port.tensor.dtype)
    return random.integers(limits.min, limits.max + 1, shape).astype(port.tensor.dtype)
