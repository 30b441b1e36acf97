"""What a bundle says of one of its model files."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

from tkit_edge import flatbuffer
from tkit_edge.fields import Fields
from tkit_edge.graph import Tensor, macs, parameters


@dataclass(frozen=True)
class TensorFacts:
    """A model's input or output tensor; scale 0 where it isn't quantized."""

    dtype: str
    scale: float
    zero_point: int

    @classmethod
    def of(cls, tensor: Tensor) -> TensorFacts:
        """The facts of a graph's tensor."""
        if not len(tensor.scales) or not len(tensor.zero_points):
            return cls(tensor.dtype, 0.0, 0)
        return cls(tensor.dtype, float(tensor.scales[0]), int(tensor.zero_points[0]))


@dataclass(frozen=True)
class ModelFile:
    """One model file of a bundle."""

    file: str
    bytes: int
    sha256: str
    macs: int | None
    parameters: int
    input: TensorFacts
    output: TensorFacts


def describe(fmt: str, data: bytes) -> ModelFile:
    """What is true of the file `data` of a format."""
    graph = flatbuffer.read(data, f"the {fmt} model")
    return ModelFile(
        file=f"model-{fmt}.tflite",
        bytes=len(data),
        sha256=hashlib.sha256(data).hexdigest(),
        macs=macs(graph),
        parameters=parameters(graph),
        input=TensorFacts.of(graph.tensors[graph.inputs[0]]),
        output=TensorFacts.of(graph.tensors[graph.outputs[0]]),
    )


def from_json(fields: Fields) -> ModelFile:
    """What bundle.json says of a file; InputError for a missing or wrong field."""
    tensors = [fields.part("input"), fields.part("output")]
    ends = [
        TensorFacts(part.get("dtype", str), float(part.get("scale", (int, float))), part.get("zero_point", int))
        for part in tensors
    ]
    return ModelFile(
        file=fields.file_name("file"),
        bytes=fields.get("bytes", int),
        sha256=fields.get("sha256", str),
        macs=fields.get("macs", (int, type(None))),
        parameters=fields.get("parameters", int),
        input=ends[0],
        output=ends[1],
    )
