"""int8 quantization: weights and activations of a folded model, by calibration alone or with training on top.

Source: Jacob et al. 2018, "Quantization and Training of Neural Networks for Efficient Integer-Arithmetic-Only
Inference"; a scale a channel as in Krishnamoorthi 2018, "Quantizing deep convolutional networks for efficient
inference".
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal, NamedTuple

import numpy as np
from pydantic import Field

from tkit import console
from tkit.compression.step import Names, State, Step
from tkit.promises import Kept, Quantized
from tkit.training.optimizers import Optimizer
from tkit.training.optimizers.adamw import AdamW
from tkit_pipelines.config import OneOf

if TYPE_CHECKING:
    import keras

    from tkit.compression.workbench import Workbench

FROZEN_SHARE = 0.25
"""Share of the steps, the last, in which ranges stay as they are."""


class Rounding(NamedTuple):
    """How a folded model's kernels are rounded."""

    fixed: dict[str, np.ndarray]
    """Code scales that stay what they are in training, broadcasting to the kernels, by layer."""
    float_layers: tuple[str, ...] = ()
    int4: tuple[str, ...] = ()

    def largest(self, layer: str) -> int:
        """The largest code of a layer's kernel."""
        from tkit.kernels.viewed import LARGEST_CODE, LARGEST_INT4

        return LARGEST_INT4 if layer in self.int4 else LARGEST_CODE


class Quantize(Step):
    """int8 weights and activations that the device computes with as they are; zeros and shared weights stay so.

    Batch normalization is folded away first, so the model has fewer layers than it had.
    """

    usual_epochs: ClassVar[int] = 3
    kind: Literal["quantize"] = "quantize"
    mode: Literal["int8"] = "int8"
    """Weights and activations in 8 bits."""
    aware: bool = False
    """Whether training goes on with rounded weights and activations, which wins back what rounding costs."""
    calibration: Literal["minmax", "percentile", "mse"] = "mse"
    """Activation ranges from the calibration images: all values, all but 0.01 %, or the least square error."""
    samples: int = Field(500, ge=1)
    """Training images, stratified by class, that activations are observed on."""
    epochs: int | None = Field(None, ge=1)
    """Epochs of training, where `aware`; null: 3, more where the set is small."""
    optimizer: Annotated[Optimizer, OneOf("tkit.training.optimizers")] = AdamW(learning_rate=3e-4, weight_decay=0.0)
    """Of that training; it begins at what the weights were trained to, so its steps are small."""
    teacher: str | None = None
    """Of that training: a run whose logits are nine tenths of the loss, or `self`, the model as it was."""
    float_layers: Names = ()
    """Layers that compute in float, by name; as text `one+another`. What they take and give is int8."""
    strict: bool = False
    """Whether a layer that int8 has no rule for is refused; else it computes in float, which is said."""
    int4: Names = ()
    """Layers whose weights have 4 bits, half the bytes, by name or kind; as text `one+another` or `conv2d+dense`."""

    @property
    def label(self) -> str:
        """`int8` or `int8-qat`, with weights in 4 bits `int4` or `int4-qat`."""
        return ("int4" if self.int4 else "int8") + ("-qat" if self.aware else "")

    def check(self, model: keras.Model, work: Workbench) -> None:
        """Raises InputError where int8 has no rule for a layer, if `strict`; where calibration has too few images."""
        from tkit.passes.folding import fold
        from tkit.quantization.rules import Rules
        from tkit_edge.errors import InputError

        self._images(model, work)
        ruleless = Rules(fold(model), self.float_layers).ruleless
        if ruleless and self.strict:
            raise InputError(
                f"int8 has no rule for {', '.join(ruleless.values())}. Replace it by what has one, or leave out "
                "strict=true: it then computes in float."
            )
        for what in ruleless.values():
            console.say(f"quantize: int8 has no rule for {what}, which computes in float")

    def apply(self, state: State, work: Workbench) -> State:
        """The folded model with weights that are int8 codes times scales, and the ranges of its activations.

        Raises:
            InputError: an unknown name among `float_layers`; fewer calibration images than classes.
        """
        from tkit.passes.folding import factors, fold
        from tkit.quantization.ranges import ranges

        images = self._images(state.model, work)
        kept = _folded(state.kept, factors(state.model))
        model = fold(state.model)
        found = ranges(model, images, self.calibration, self.float_layers)
        int4 = self._int4(model, kept)
        rounding = Rounding(_fixed(model, kept, int4), self.float_layers, int4)
        if self.aware:
            found = self._trained(model, kept, found, rounding, work)
        return _rounded(model, kept, found, rounding)

    def _int4(self, model: keras.Model, kept: Kept) -> tuple[str, ...]:
        """The layers whose weights are to have 4 bits.

        Raises:
            InputError: one that can't.
        """
        import keras

        from tkit.compression.selection import named
        from tkit.kernels.viewed import with_kernels
        from tkit_edge.errors import InputError

        wanted = named(model, self.int4, "quantize: int4 names")
        able = [layer for layer in with_kernels(model) if layer.trainable and layer.name not in self.float_layers]
        able = [layer for layer in able if not isinstance(layer, keras.layers.Conv2DTranspose)]
        found = tuple(layer.name for layer in able if layer.name in wanted)
        for name in self.int4:
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

    def _images(self, model: keras.Model, work: Workbench) -> np.ndarray:
        from tkit_edge.errors import InputError

        images, classes = work.calibration(self.samples), model.outputs[0].shape[-1]
        if len(images) < classes:
            raise InputError(
                f"quantize.samples={self.samples} gives {len(images)} calibration images for {classes} classes: "
                f"expected at least one a class. Raise it to {classes} or more; several hundred are usual."
            )
        return images

    def _trained(
        self,
        model: keras.Model,
        kept: Kept,
        found: dict[str, tuple[float, float]],
        rounding: Rounding,
        work: Workbench,
    ) -> dict[str, tuple[float, float]]:
        """Trains `model`'s weights as the device will have them; the ranges after."""
        from tkit.compression.distillation import Distillation
        from tkit.keras_internals import nodes
        from tkit.kernels.viewed import Recentre, stock, view
        from tkit.quantization.fake_quant import FreezeRanges, nudged
        from tkit.quantization.graph import int8_graph, quantizers
        from tkit.quantization.rules import Rules

        distillation = Distillation(self.teacher, model, work) if self.teacher else None
        graph = int8_graph(model, found, self.float_layers, moving=True)
        graph = view(graph, _views(model, kept, rounding))
        _set_views(graph, kept, rounding)
        epochs = work.epochs(self.kind, self.epochs, self.usual_epochs)
        steps = epochs * work.steps_per_epoch
        until = round(steps * (1 - FROZEN_SHARE))
        work.train(
            graph,
            epochs=epochs,
            optimizer=self.optimizer,
            callbacks=[FreezeRanges(work.steps_per_epoch, until), Recentre([*rounding.fixed])],
            objective=distillation,
        )
        trained = stock(graph)
        rules = Rules(model, self.float_layers)
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


def _fixed(model: keras.Model, kept: Kept, int4: tuple[str, ...]) -> dict[str, np.ndarray]:
    """Code scales that stay what they are in training, broadcasting to the kernels, by layer.

    Those that leave shared weights shared, and those of 4 bits. A transposed convolution's weights are shared within a
    channel only: the converter chooses its scales.
    """
    import keras

    from tkit.kernels.viewed import LARGEST_CODE, int4_scales, scale_shape, with_kernels

    found = {}
    for layer in with_kernels(model):
        shape = scale_shape(layer, tuple(layer.kernel.shape))
        if layer.name in int4:
            found[layer.name] = int4_scales(layer.kernel.numpy(), shape)
        elif layer.name in kept.clustered and not isinstance(layer, keras.layers.Conv2DTranspose):
            scales = np.abs(np.asarray(kept.clustered[layer.name].scales, np.float32)) / np.float32(LARGEST_CODE)
            found[layer.name] = scales.reshape(shape)
    return found


def _views(model: keras.Model, kept: Kept, rounding: Rounding) -> dict[str, list[tuple[str, dict[str, Any]]]]:
    """How each kernel is seen in training: masked, then clustered, then rounded."""
    from tkit.kernels.viewed import with_kernels

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
    from tkit.kernels.viewed import with_kernels

    for layer in with_kernels(graph):
        views = getattr(layer, "views", {})
        if "clustered" in views:
            clusters, view = kept.clustered[layer.name], views["clustered"]
            view.centroids.assign(clusters.centroids)
            view.scales.assign(np.reshape(clusters.scales, view.scales.shape))
        if "fake_quantized" in views and views["fake_quantized"].fixed:
            views["fake_quantized"].scales.assign(rounding.fixed[layer.name])


def _rounded(model: keras.Model, kept: Kept, ranges: dict[str, tuple[float, float]], rounding: Rounding) -> State:
    """`model` with its kernels rounded in place, and what holds of it."""
    from tkit.kernels.viewed import LARGEST_CODE, code_scales, scale_shape, with_kernels
    from tkit.quantization.rules import Rules

    scales, clustered = {}, dict(kept.clustered)
    for layer in with_kernels(model):
        if layer.name in rounding.float_layers:
            continue
        kernel, largest = layer.kernel.numpy(), rounding.largest(layer.name)
        own = rounding.fixed.get(layer.name)
        if own is None:
            own = code_scales(kernel, scale_shape(layer, kernel.shape)).numpy()
        codes = np.clip(np.round(kernel / own), -largest, largest)
        layer.kernel.assign(codes * own)
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
        in_float=tuple(Rules(model, rounding.float_layers).ruleless),
        int4=rounding.int4,
    )
    return State(model, kept.model_copy(update={"clustered": clustered, "quantized": settings}))
