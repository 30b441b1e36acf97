"""How the kernels of a folded model are rounded to codes times scales."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import keras
import numpy as np

from tkit import console
from tkit.compressible.selection import named
from tkit.kernels.scales import LARGEST_CODE, LARGEST_INT4, code_scales, int4_scales, scale_shape
from tkit.kernels.viewed import kernel_of, with_kernels
from tkit.promises import Kept, Quantized, State
from tkit.quantization.rules import PIXELS, Rules
from tkit_edge.errors import InputError


class Rounding(NamedTuple):
    """How a folded model's kernels are rounded."""

    fixed: dict[str, np.ndarray]
    """Code scales that stay what they are in training, broadcasting to the kernels, by layer."""
    float_layers: tuple[str, ...] = ()
    int4: tuple[str, ...] = ()
    input_range: tuple[float, float] | None = PIXELS
    """Of the inputs, where it is known beforehand."""

    @classmethod
    def of(cls, graph: keras.Model, float_layers: tuple[str, ...], input_range: tuple[float, float] | None) -> Rounding:
        """That of a graph in training, which its views hold."""
        views = {layer.name: getattr(layer, "views", {}).get("fake_quantized") for layer in with_kernels(graph)}
        fixed = {name: view.scales.numpy() for name, view in views.items() if view is not None and view.fixed}
        int4 = tuple(name for name, view in views.items() if view is not None and view.largest == LARGEST_INT4)
        return cls(fixed, float_layers, int4, input_range)

    def largest(self, layer: str) -> int:
        """The largest code of a layer's kernel."""
        return LARGEST_INT4 if layer in self.int4 else LARGEST_CODE


def four_bits(model: keras.Model, kept: Kept, names: Sequence[str], float_layers: Sequence[str]) -> tuple[str, ...]:
    """The layers whose weights are to have 4 bits.

    Raises:
        InputError: one that can't.
    """
    wanted = named(model, names, "quantize: int4 names")
    able = [layer for layer in with_kernels(model) if layer.trainable and layer.name not in float_layers]
    able = [layer for layer in able if not isinstance(layer, (keras.layers.Conv2DTranspose, keras.layers.Embedding))]
    found = tuple(layer.name for layer in able if layer.name in wanted)
    for name in names:
        if name in wanted and name not in found:
            raise InputError(
                f"quantize: {name!r} can't have weights of 4 bits. Conv2D, DepthwiseConv2D and Dense can, where "
                "they are trained and not in float_layers."
            )
    shared = [name for name in found if name in kept.clustered]
    if shared:
        raise InputError(
            f"quantize: the clusters of {', '.join(shared)} are int8 codes, and 4 bits would move them. Leave the "
            "layers out of int4, or don't cluster them: 4 bits are 15 values a channel themselves."
        )
    return found


def fixed_scales(model: keras.Model, kept: Kept, int4: tuple[str, ...]) -> dict[str, np.ndarray]:
    """Code scales that stay what they are in training, broadcasting to the kernels, by layer.

    Those that leave shared weights shared, those of 4 bits, and those of embeddings, whose codes are looked up as they
    are. A transposed convolution's weights are shared within a channel only: the converter chooses its scales.
    """
    found = {}
    for layer in with_kernels(model):
        shape = scale_shape(layer, tuple(kernel_of(layer).shape))
        if layer.name in int4:
            found[layer.name] = int4_scales(kernel_of(layer).numpy(), shape)
        elif layer.name in kept.clustered and not isinstance(layer, keras.layers.Conv2DTranspose):
            scales = np.abs(np.asarray(kept.clustered[layer.name].scales, np.float32)) / np.float32(LARGEST_CODE)
            found[layer.name] = scales.reshape(shape)
        elif isinstance(layer, keras.layers.Embedding):
            found[layer.name] = code_scales(kernel_of(layer).value, shape).numpy()
    return found


def rounding_views(model: keras.Model, kept: Kept, rounding: Rounding) -> dict[str, list[tuple[str, dict[str, Any]]]]:
    """How each kernel is seen in training: masked, then clustered, then rounded."""
    found = {}
    for layer in with_kernels(model):
        views: list[tuple[str, dict[str, Any]]] = []
        if layer.name in kept.pruned:
            views.append(("masked", {}))
        if layer.name in kept.clustered:
            clusters = kept.clustered[layer.name]
            views.append(("clustered", {"clusters": len(clusters.centroids), "fixed": clusters.fixed}))
        if layer.name not in rounding.float_layers:
            settings = {"fixed": layer.name in rounding.fixed, "largest": rounding.largest(layer.name)}
            views.append(("fake_quantized", settings))
        if views:
            found[layer.name] = views
    return found


def set_views(graph: keras.Model, kept: Kept, rounding: Rounding) -> None:
    """Brings the views' variables to what holds of the kernels."""
    for layer in with_kernels(graph):
        views = getattr(layer, "views", {})
        if "clustered" in views:
            clusters, view = kept.clustered[layer.name], views["clustered"]
            view.centroids.assign(clusters.centroids)
            view.scales.assign(np.reshape(clusters.scales, view.scales.shape))
        if "fake_quantized" in views and views["fake_quantized"].fixed:
            views["fake_quantized"].scales.assign(rounding.fixed[layer.name])


def rounded(model: keras.Model, kept: Kept, ranges: dict[str, tuple[float, float]], rounding: Rounding) -> State:
    """`model` with its kernels rounded in place, and what holds of it."""
    scales, clustered = {}, dict(kept.clustered)
    for layer in with_kernels(model):
        if layer.name in rounding.float_layers:
            continue
        kernel, largest = kernel_of(layer).numpy(), rounding.largest(layer.name)
        own = rounding.fixed.get(layer.name)
        if own is None:
            own = code_scales(kernel, scale_shape(layer, kernel.shape)).numpy()
        codes = np.clip(np.round(kernel / own), -largest, largest)
        kernel_of(layer).assign(codes * own)
        scales[layer.name] = tuple(own.ravel().tolist())
        clusters = clustered.pop(layer.name, None)
        if clusters is not None and layer.name not in rounding.fixed:
            console.say(f"quantize: {layer.name!r} has scales of the converter's own, which scale its clusters apart")
        elif clusters is not None:
            signs = np.sign(np.reshape(clusters.scales, own.shape))
            centroids = np.unique(codes * signs) / LARGEST_CODE
            clustered[layer.name] = clusters.model_copy(update={"centroids": tuple(centroids.tolist())})
    settings = Quantized(
        scales=scales,
        ranges=ranges,
        float_layers=rounding.float_layers,
        in_float=tuple(Rules(model, rounding.float_layers, rounding.input_range).ruleless),
        int4=rounding.int4,
        input_range=rounding.input_range,
    )
    return State(model, kept.model_copy(update={"clustered": clustered, "quantized": settings}))
