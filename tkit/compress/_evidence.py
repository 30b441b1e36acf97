"""What a compressed model promises, read from the exported flatbuffer, layer by layer."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Iterator
from typing import NamedTuple

import numpy as np

from tkit.compress import Kept
from tkit_edge import flatbuffer
from tkit_edge.graph import Graph, Tensor, unpacked_from, values

_WITH_KERNEL = ("CONV_2D", "DEPTHWISE_CONV_2D", "TRANSPOSE_CONV", "FULLY_CONNECTED")
_ENDS = ("QUANTIZE", "DEQUANTIZE")
NO_KERNEL = "no such kernel"
TOLERANCE = 1e-5
"""Of a float weight and its centroid, of the scale: what folding and storing may round."""


class Proof(NamedTuple):
    """One promise about one layer, and what the file holds."""

    layer: str
    promise: str
    found: str
    holds: bool


def kernels(graph: Graph, layers: Iterable[str]) -> dict[str, Tensor]:
    """The kernel tensor of each named layer; layers that the file doesn't have are left out.

    A tensor's name is a path of scopes; a layer's scope is its name, with a number where it was traced again.
    """
    names = sorted(layers, key=len, reverse=True)
    sources = unpacked_from(graph)
    found: dict[str, Tensor] = {}
    for operator in graph.operators:
        if operator.name not in _WITH_KERNEL:
            continue
        tensor = graph.tensors[sources.get(operator.inputs[1], operator.inputs[1])]
        # A kernel stored without its zeros has its operator's name, which at the graph's end is the output's: there the
        # bias tells. Several layers may share a bias, so the kernel's own name comes first.
        constants = [tensor, *(graph.tensors[index] for index in operator.inputs[2:] if index >= 0)]
        owners = (_owner(item.name, names) for item in constants if len(item.data))
        owner = next((name for name in owners if name is not None), None)
        if owner is not None:
            found[owner] = tensor
    return found


def _owner(tensor: str, names: Iterable[str]) -> str | None:
    scopes = re.split(r"[/;]", tensor)
    return next((name for name in names if any(_is_scope(scope, name) for scope in scopes)), None)


def _is_scope(scope: str, name: str) -> bool:
    return re.fullmatch(rf"{re.escape(name)}(_\d+)?", scope) is not None


def proofs(data: bytes, kept: Kept, name: str = "the file") -> list[Proof]:
    """Whether a float32 or int8 .tflite file holds what `kept` promises.

    Clusters are distinct codes in a file that was quantized with them in mind, and distinct multiples of a channel's
    scale in a float32 file; a file that was only calibrated scales them apart, and isn't judged.
    """
    graph = flatbuffer.read(data, name)
    return [
        *_narrowed(graph, kept),
        *_pruned(graph, kept),
        *_clustered(graph, kept),
        *_int4(graph, kept),
        *_integers(graph, kept),
    ]


def _narrowed(graph: Graph, kept: Kept) -> Iterator[Proof]:
    tensors = kernels(graph, kept.shapes)
    for layer, shape in kept.shapes.items():
        promise = f"{math.prod(shape):,} weights"
        found = tensors[layer].size if layer in tensors else 0
        yield Proof(layer, promise, f"{found:,}", found == math.prod(shape))


def _pruned(graph: Graph, kept: Kept) -> Iterator[Proof]:
    for layer, tensor, promise in _found(graph, {name: f"{share:.1%} zeros" for name, share in kept.pruned.items()}):
        if tensor is None:
            yield Proof(layer, promise, NO_KERNEL, False)
            continue
        share = float(np.mean(values(tensor) == 0))
        yield Proof(layer, promise, f"{share:.1%}", share >= kept.pruned[layer] - 1e-9)


def _clustered(graph: Graph, kept: Kept) -> Iterator[Proof]:
    promises = {name: f"at most {len(item.centroids)} values" for name, item in kept.clustered.items()}
    for layer, tensor, promise in _found(graph, promises):
        clusters = kept.clustered[layer]
        if tensor is None:
            yield Proof(layer, promise, NO_KERNEL, False)
        elif tensor.dtype == "float32":
            # Filters lie first in the file, but last in a depthwise kernel: [1, height, width, channels].
            axis = 3 if tensor.shape[0] == 1 and len(clusters.scales) == tensor.shape[-1] != 1 else 0
            weights = np.moveaxis(values(tensor), axis, -1)
            shared = weights / np.asarray(clusters.scales, np.float32)
            nearest = np.abs(shared[..., None] - np.asarray(clusters.centroids, np.float32)).min(axis=-1)
            yield Proof(layer, promise, f"{nearest.max():.1e} from a centroid at most", bool(nearest.max() < TOLERANCE))
        elif kept.quantized is not None:
            codes = len(np.unique(values(tensor)))
            yield Proof(layer, promise, f"{codes} codes", codes <= len(clusters.centroids))


def _int4(graph: Graph, kept: Kept) -> Iterator[Proof]:
    if kept.quantized is None or not _is_int8(graph):
        return
    for layer, tensor, promise in _found(graph, dict.fromkeys(kept.quantized.int4, "4-bit weights")):
        found = tensor.dtype if tensor is not None else NO_KERNEL
        yield Proof(layer, promise, found, found == "int4")


def _is_int8(graph: Graph) -> bool:
    return any(tensor.dtype == "int8" for tensor in graph.tensors)


def _found(graph: Graph, promises: dict[str, str]) -> Iterator[tuple[str, Tensor | None, str]]:
    """Each layer that something is promised of, with its kernel in the file, None for one that isn't there."""
    tensors = kernels(graph, promises)
    for layer, promise in promises.items():
        yield layer, tensors.get(layer), promise


def _integers(graph: Graph, kept: Kept) -> Iterator[Proof]:
    if kept.quantized is None or not _is_int8(graph):
        return
    strays = []
    for operator in graph.operators:
        dtypes = {graph.tensors[index].dtype for index in (*operator.inputs, *operator.outputs) if index >= 0}
        name = graph.tensors[operator.outputs[0]].name
        if "float32" in dtypes and operator.name not in _ENDS and not kept_in_float(name, kept):
            strays.append(f"{operator.name} ({name}) in float32")
    left = kept.quantized.float_layers
    promise = f"integers only, but for {', '.join(left)}" if left else "integers only"
    yield Proof("all operators", promise, ", ".join(strays) or "nothing else", not strays)


def kept_in_float(name: str, kept: Kept) -> bool:
    """Whether the tensor belongs to a layer that the user left in float."""
    scopes = re.split(r"[/;]", name)
    layers = kept.quantized.float_layers if kept.quantized is not None else ()
    left = [*layers, *(f"{layer}_float" for layer in layers)]  # the casts that keep it so
    return any(_is_scope(scope, layer) for scope in scopes for layer in left)
