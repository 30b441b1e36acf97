"""int8 quantization: kernels to codes times scales, activations to ranges; trained on as the device computes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import keras
import numpy as np

from tkit import console
from tkit.arrays import count
from tkit.compression.distillation import Distillation
from tkit.compression.selection import named
from tkit.compression.step import State
from tkit.compression.workbench import Workbench
from tkit.keras_internals import nodes
from tkit.kernels.recentre import Recentre
from tkit.kernels.viewed import (
    LARGEST_CODE,
    LARGEST_INT4,
    code_scales,
    int4_scales,
    kernel_of,
    scale_shape,
    stock,
    view,
    with_kernels,
)
from tkit.passes.folding import factors, fold
from tkit.promises import Kept, Quantized
from tkit.quantization.fake_quant import FreezeRanges, nudged
from tkit.quantization.graph import int8_graph, quantizers
from tkit.quantization.ranges import Method, ranges
from tkit.quantization.rules import PIXELS, Rules
from tkit.training.optimizers import Optimizer
from tkit_edge.errors import InputError
from tkit_edge.tensors import Arrays

FROZEN_SHARE = 0.25
"""Share of the steps, the last, in which ranges stay as they are."""


class Rounding(NamedTuple):
    """How a folded model's kernels are rounded."""

    fixed: dict[str, np.ndarray]
    """Code scales that stay what they are in training, broadcasting to the kernels, by layer."""
    float_layers: tuple[str, ...] = ()
    int4: tuple[str, ...] = ()
    input_range: tuple[float, float] | None = PIXELS
    """Of the inputs, where it is known beforehand."""

    def largest(self, layer: str) -> int:
        """The largest code of a layer's kernel."""
        return LARGEST_INT4 if layer in self.int4 else LARGEST_CODE


def quantize(
    state: State,
    work: Workbench,
    *,
    method: Method,
    samples: int,
    float_layers: tuple[str, ...],
    int4: Sequence[str],
    epochs: int | None,
    optimizer: Optimizer,
    teacher: str | None,
) -> State:
    """The folded model with weights that are int8 codes times scales, and the ranges of its activations.

    Args:
        state: it isn't changed.
        work: training images and the engine.
        method: how activation ranges come from the calibration images.
        samples: calibration images.
        float_layers: layers that compute in float.
        int4: layers whose weights have 4 bits, by name or kind.
        epochs: of training with rounded weights and activations; None for no training.
        optimizer: of that training.
        teacher: of that training: the run to distil from.

    Raises:
        InputError: an unknown name among `float_layers` or `int4`; fewer calibration images than classes.
    """
    examples = _calibration(state.model, work, samples)
    known = work.contract.input.range
    kept = _folded(state.kept, factors(state.model))
    model = fold(state.model)
    found = ranges(model, examples, method, float_layers, known)
    four_bits = _int4(model, kept, int4, float_layers)
    rounding = Rounding(fixed_scales(model, kept, four_bits), float_layers, four_bits, known)
    if epochs is not None:
        objective = Distillation(teacher, model, work) if teacher else None
        found = _trained(model, kept, found, rounding, work, epochs, optimizer, objective)
    return rounded(model, kept, found, rounding)


def check(model: keras.Model, work: Workbench, *, samples: int, float_layers: Sequence[str], strict: bool) -> None:
    """Says which layers int8 has no rule for; raises InputError if `strict`, or where there are too few images."""
    _calibration(model, work, samples)
    ruleless = Rules(fold(model), float_layers, work.contract.input.range).ruleless
    if ruleless and strict:
        raise InputError(
            f"int8 has no rule for {', '.join(ruleless.values())}. Replace it by what has one, or leave out "
            "strict=true: it then computes in float."
        )
    for what in ruleless.values():
        console.say(f"quantize: int8 has no rule for {what}, which computes in float")


def _calibration(model: keras.Model, work: Workbench, samples: int) -> Arrays:
    examples, classes = work.calibration(samples), len(work.splits.class_names)
    if count(examples) < classes:
        raise InputError(
            f"quantize.samples={samples} gives {count(examples)} calibration examples for {classes} classes: "
            f"expected at least one a class. Raise it to {classes} or more; several hundred are usual."
        )
    return examples


def _int4(model: keras.Model, kept: Kept, names: Sequence[str], float_layers: Sequence[str]) -> tuple[str, ...]:
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


def _trained(
    model: keras.Model,
    kept: Kept,
    found: dict[str, tuple[float, float]],
    rounding: Rounding,
    work: Workbench,
    epochs: int,
    optimizer: Optimizer,
    objective: Distillation | None,
) -> dict[str, tuple[float, float]]:
    """Trains `model`'s weights as the device will have them; the ranges after."""
    graph = int8_graph(
        model,
        found,
        rounding.float_layers,
        moving=True,
        input_range=rounding.input_range,
        scales=rounding.fixed,
    )
    graph = view(graph, _views(model, kept, rounding))
    _set_views(graph, kept, rounding)
    recentre = Recentre([name for name in rounding.fixed if name in {*kept.clustered, *rounding.int4}])
    steps = epochs * work.steps_per_epoch
    until = round(steps * (1 - FROZEN_SHARE))
    work.train(
        graph,
        epochs=epochs,
        optimizer=optimizer,
        callbacks=[
            FreezeRanges(work.steps_per_epoch, until),
            recentre,
        ],
        objective=objective,
    )
    trained = stock(graph)
    rules = Rules(model, rounding.float_layers, rounding.input_range)
    copied = {node.operation.name for node in nodes(model) if rules.of[id(node)].layer}
    for layer in model.layers:
        # A batch normalization that couldn't be folded scales by numbers, which aren't trained.
        if layer.trainable_weights and layer.name in copied:
            layer.set_weights(trained.get_layer(layer.name).get_weights())
    made = quantizers(graph)
    return {name: nudged(float(item.low.numpy()), float(item.high.numpy())) for name, item in made.items()}


def _folded(kept: Kept, factors: dict[str, np.ndarray]) -> Kept:
    """What holds once batch normalization is folded: shared weights of a channel are multiplied alike."""
    clustered = {}
    for name, clusters in kept.clustered.items():
        scales = np.asarray(clusters.scales, np.float32) * factors.get(name, np.float32(1))
        clustered[name] = clusters.model_copy(update={"scales": tuple(scales.tolist())})
    return kept.model_copy(update={"clustered": clustered})


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


def _views(model: keras.Model, kept: Kept, rounding: Rounding) -> dict[str, list[tuple[str, dict[str, Any]]]]:
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


def _set_views(graph: keras.Model, kept: Kept, rounding: Rounding) -> None:
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
