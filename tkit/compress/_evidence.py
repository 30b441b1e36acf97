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

    A tensor's name is a path of scopes; a layer's scope is its name, with a number where it was traced again. So the
    scope `conv_1` is that of `conv` or of `conv_1`: where all layers with a kernel are named, each has one of its own.
    """
    names = sorted(layers, key=len, reverse=True)
    sources = unpacked_from(graph)
    owners: dict[int, list[str]] = {}
    for operator in graph.operators:
        if operator.name not in _WITH_KERNEL:
            continue
        kernel = sources.get(operator.inputs[1], operator.inputs[1])
        # A kernel stored without its zeros has its operator's name, which at the graph's end is the output's: there the
        # bias tells. Several layers may share a bias, so the kernel's own name comes first.
        constants = [kernel, *(index for index in operator.inputs[2:] if index >= 0)]
        told = (_owners(graph.tensors[index].name, names) for index in constants if len(graph.tensors[index].data))
        owners.setdefault(kernel, next((found for found in told if found), []))
    return {name: graph.tensors[index] for name, index in _matched(owners).items()}


def _owners(tensor: str, names: Iterable[str]) -> list[str]:
    """The layers whose scope may be in a tensor's name, the longest first."""
    scopes = re.split(r"[/;]", tensor)
    return [name for name in names if any(_is_scope(scope, name) for scope in scopes)]


def _matched(owners: dict[int, list[str]]) -> dict[str, int]:
    """Each kernel to one of its possible owners, such that as many as can be have one (Kuhn 1955)."""
    found: dict[str, int] = {}

    def place(kernel: int, tried: set[str]) -> bool:
        for name in owners[kernel]:
            if name not in tried:
                tried.add(name)
                if name not in found or place(found[name], tried):
                    found[name] = kernel
                    return True
        return False

    for kernel in owners:
        place(kernel, set())
    return found


def _is_scope(scope: str, name: str) -> bool:
    return re.fullmatch(rf"{re.escape(name)}(_\d+)?", scope) is not None


def proofs(data: bytes, kept: Kept, layers: Iterable[str] = ()) -> list[Proof]:
    """Whether a float32 or int8 .tflite file holds what `kept` promises.

    `layers` are all layers with a kernel, promises or none, so that none is taken for another.

    Clusters are distinct codes in a file that was quantized with them in mind, and distinct multiples of a channel's
    scale in a float32 file; a file that was only calibrated scales them apart, and isn't judged.
    """
    graph = flatbuffer.read(data, "the file")
    promised = {*kept.pruned, *kept.clustered, *kept.shapes, *(kept.quantized.scales if kept.quantized else ())}
    tensors = kernels(graph, promised | {*layers})
    return [
        *_narrowed(tensors, kept),
        *_pruned(tensors, kept),
        *_clustered(tensors, kept),
        *(_int4(tensors, kept) if _is_int8(graph) else ()),
        *_integers(graph, tensors, kept),
    ]


def _narrowed(tensors: dict[str, Tensor], kept: Kept) -> Iterator[Proof]:
    for layer, shape in kept.shapes.items():
        promise = f"{math.prod(shape):,} weights"
        found = tensors[layer].size if layer in tensors else 0
        yield Proof(layer, promise, f"{found:,}", found == math.prod(shape))


def _pruned(tensors: dict[str, Tensor], kept: Kept) -> Iterator[Proof]:
    for layer, tensor, promise in _found(tensors, {name: f"{share:.1%} zeros" for name, share in kept.pruned.items()}):
        if tensor is None:
            yield Proof(layer, promise, NO_KERNEL, False)
            continue
        share = float(np.mean(values(tensor) == 0))
        yield Proof(layer, promise, f"{share:.1%}", share >= kept.pruned[layer] - 1e-9)


def _clustered(tensors: dict[str, Tensor], kept: Kept) -> Iterator[Proof]:
    promises = {name: f"at most {len(item.centroids)} values" for name, item in kept.clustered.items()}
    for layer, tensor, promise in _found(tensors, promises):
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


def _int4(tensors: dict[str, Tensor], kept: Kept) -> Iterator[Proof]:
    if kept.quantized is None:
        return
    for layer, tensor, promise in _found(tensors, dict.fromkeys(kept.quantized.int4, "4-bit weights")):
        found = tensor.dtype if tensor is not None else NO_KERNEL
        yield Proof(layer, promise, found, found == "int4")


def _is_int8(graph: Graph) -> bool:
    return any(tensor.dtype == "int8" for tensor in graph.tensors)


def _found(tensors: dict[str, Tensor], promises: dict[str, str]) -> Iterator[tuple[str, Tensor | None, str]]:
    """Each layer that something is promised of, with its kernel in the file, None for one that isn't there."""
    for layer, promise in promises.items():
        yield layer, tensors.get(layer), promise


def _integers(graph: Graph, tensors: dict[str, Tensor], kept: Kept) -> Iterator[Proof]:
    if kept.quantized is None or not _is_int8(graph):
        return
    left = (*kept.quantized.float_layers, *kept.quantized.in_float)
    rounded = {tensor.name for layer, tensor in tensors.items() if layer in kept.quantized.scales}
    strays = []
    for operator in graph.operators:
        inside = [graph.tensors[index] for index in (*operator.inputs, *operator.outputs) if index >= 0]
        if operator.name in _ENDS or all(tensor.dtype != "float32" for tensor in inside):
            continue
        # What only moves values behind a layer in float is in float too, under any name.
        if not left or any(tensor.name in rounded for tensor in inside):
            strays.append(f"{operator.name} ({graph.tensors[operator.outputs[0]].name}) in float32")
    promise = f"integers only, but for {', '.join(left)}" if left else "integers only"
    yield Proof("all operators", promise, ", ".join(strays) or "nothing else", not strays)
