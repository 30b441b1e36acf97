"""A bundle's record of one of its model files."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from tkit_edge import flatbuffer
from tkit_edge.fields import Fields
from tkit_edge.graph import Graph, Tensor, macs, parameters
from tkit_edge.tensors import TensorSpec, matched


@dataclass(frozen=True)
class TensorFacts:
    """A model's input or output tensor in the file; scale 0 where it isn't quantized."""

    name: str
    """What the bundle calls it."""
    dtype: str
    scale: float
    zero_point: int

    @classmethod
    def of(cls, name: str, tensor: Tensor) -> TensorFacts:
        """The facts of a graph's tensor."""
        if not len(tensor.scales) or not len(tensor.zero_points):
            return cls(name, tensor.dtype, 0.0, 0)
        return cls(name, tensor.dtype, float(tensor.scales[0]), int(tensor.zero_points[0]))

    @classmethod
    def from_json(cls, fields: Fields) -> TensorFacts:
        """As bundle.json has them."""
        scale = float(fields.get("scale", (int, float)))
        return cls(fields.get("name", str), fields.get("dtype", str), scale, fields.get("zero_point", int))


@dataclass(frozen=True)
class ModelFile:
    """One model file of a bundle."""

    file: str
    bytes: int
    sha256: str
    macs: int | None
    parameters: int
    inputs: tuple[TensorFacts, ...]
    outputs: tuple[TensorFacts, ...]


def describe(fmt: str, data: bytes, inputs: Sequence[TensorSpec], outputs: Sequence[TensorSpec]) -> ModelFile:
    """What is true of the file `data` of a format, whose tensors go by the names of `inputs` and `outputs`.

    Raises:
        InputError: its tensors are others.
    """
    import hashlib  # see files.sha256

    graph = flatbuffer.read(data, f"the {fmt} model")
    name = f"The {fmt} model"
    return ModelFile(
        file=f"model-{fmt}.tflite",
        bytes=len(data),
        sha256=hashlib.sha256(data).hexdigest(),
        macs=macs(graph),
        parameters=parameters(graph),
        inputs=_facts(graph, graph.inputs, inputs, name, "takes"),
        outputs=_facts(graph, graph.outputs, outputs, name, "gives"),
    )


def _facts(
    graph: Graph, numbers: Sequence[int], wanted: Sequence[TensorSpec], name: str, side: str
) -> tuple[TensorFacts, ...]:
    found = specs(graph, numbers)
    tensors = {spec.name: graph.tensors[number] for spec, number in zip(found, numbers)}
    pairs = matched(wanted, found, name, side)
    return tuple(TensorFacts.of(spec.name, tensors[own.name]) for spec, own in pairs)


def specs(graph: Graph, numbers: Sequence[int]) -> list[TensorSpec]:
    """A graph's inputs or outputs, as the signature calls them."""
    found = []
    for number in numbers:
        tensor = graph.tensors[number]
        is_float = len(tensor.scales) or "float" in tensor.dtype
        name = graph.names.get(number, tensor.name)
        found.append(TensorSpec(name, tensor.shape[1:], "float32" if is_float else tensor.dtype))
    return found


def from_json(fields: Fields) -> ModelFile:
    """The record of a file in bundle.json; InputError for a missing or wrong field."""
    return ModelFile(
        file=fields.file_name("file"),
        bytes=fields.get("bytes", int),
        sha256=fields.get("sha256", str),
        macs=fields.get("macs", (int, type(None))),
        parameters=fields.get("parameters", int),
        inputs=tuple(map(TensorFacts.from_json, fields.items("inputs"))),
        outputs=tuple(map(TensorFacts.from_json, fields.items("outputs"))),
    )
