"""Models that compute in int8 while they are trained (quantization-aware training)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import keras
import numpy as np

from tkit.compressible.model import Compressible, Method
from tkit.compressible.rounding import Rounding, fixed_scales, four_bits, rounded, rounding_views, set_views
from tkit.graph import cloned
from tkit.keras_internals import nodes
from tkit.kernels.recentre import Recentre
from tkit.kernels.scales import LARGEST_INT4
from tkit.kernels.viewed import stock, view, with_kernels
from tkit.passes.folding import factors, fold
from tkit.plan import Plan
from tkit.promises import Kept, State
from tkit.quantization import ranges as calibrated
from tkit.quantization.fake_quant import FreezeRanges, nudged
from tkit.quantization.graph import int8_graph, quantizers
from tkit.quantization.rules import Rules
from tkit.registered import registered
from tkit_edge.tensors import Arrays

FROZEN_SHARE = 0.25
"""Share of the steps, the last, in which ranges stay as they are."""


@registered
class QuantizationAware(Method):
    """Training with weights and activations as the device has them."""

    float_layers: tuple[str, ...]
    input_range: tuple[float, float] | None

    def plans(self, source: keras.Model, trained: keras.Model, total: int) -> Sequence[Plan]:
        """Ranges move, then stay; shared weights and those of 4 bits are brought back to their codes each epoch."""
        fixed = []
        for layer in with_kernels(trained):
            views = getattr(layer, "views", {})
            codes = views.get("fake_quantized")
            if codes is not None and codes.fixed and ("clustered" in views or codes.largest == LARGEST_INT4):
                fixed.append(layer)
        until = round(total * (1 - FROZEN_SHARE))
        return [FreezeRanges(list(quantizers(trained).values()), until), Recentre(fixed)]

    def finished(self, graph: keras.Model, kept: Kept, origin: keras.Model | None) -> State:
        """The folded model with codes times scales for its weights, and the ranges."""
        assert origin is not None
        rounding = Rounding.of(graph, self.float_layers, self.input_range)
        trained, model = stock(graph), cloned(origin)
        rules = Rules(model, rounding.float_layers, rounding.input_range)
        copied = {node.operation.name for node in nodes(model) if rules.of[id(node)].layer}
        for layer in model.layers:
            # A batch normalization that couldn't be folded scales by numbers, which aren't trained.
            if layer.trainable_weights and layer.name in copied:
                layer.set_weights(trained.get_layer(layer.name).get_weights())
        made = quantizers(graph)
        found = {name: nudged(float(item.low.numpy()), float(item.high.numpy())) for name, item in made.items()}
        return rounded(model, kept, found, rounding)


class Calibrated(NamedTuple):
    """A folded model with the ranges of its activations, and how its kernels are rounded."""

    model: keras.Model
    kept: Kept
    ranges: dict[str, tuple[float, float]]
    rounding: Rounding

    @classmethod
    def of(
        cls,
        state: State,
        examples: Arrays,
        *,
        method: calibrated.Method,
        input_range: tuple[float, float] | None,
        float_layers: tuple[str, ...],
        int4: Sequence[str],
    ) -> Calibrated:
        """That of a model, which isn't changed.

        Args:
            state: the model.
            examples: of the training data.
            method: how activation ranges come from them.
            input_range: of the inputs, where it is known beforehand.
            float_layers: layers that compute in float.
            int4: layers whose weights have 4 bits, by name or kind.

        Raises:
            InputError: an unknown name among `float_layers` or `int4`.
        """
        kept = _folded(state.kept, factors(state.model))
        model = fold(state.model)
        found = calibrated.ranges(model, examples, method, float_layers, input_range)
        small = four_bits(model, kept, int4, float_layers)
        return cls(model, kept, found, Rounding(fixed_scales(model, kept, small), float_layers, small, input_range))

    def rounded(self) -> State:
        """The quantized model without training; to be called once, as it changes the model."""
        return rounded(self.model, self.kept, self.ranges, self.rounding)

    def aware(self, steps: int | None = None) -> Compressible:
        """The model that is trained as the device computes it; `steps` where their number is known beforehand."""
        kept, rounding = self.kept, self.rounding
        graph = int8_graph(
            self.model,
            self.ranges,
            rounding.float_layers,
            moving=True,
            input_range=rounding.input_range,
            scales=rounding.fixed,
        )
        graph = view(graph, rounding_views(self.model, kept, rounding))
        set_views(graph, kept, rounding)
        method = QuantizationAware(float_layers=rounding.float_layers, input_range=rounding.input_range, steps=steps)
        return Compressible.of(graph, method, kept, self.model)


def _folded(kept: Kept, factors: dict[str, np.ndarray]) -> Kept:
    """What holds once batch normalization is folded: shared weights of a channel are multiplied alike."""
    clustered = {}
    for name, clusters in kept.clustered.items():
        scales = np.asarray(clusters.scales, np.float32) * factors.get(name, np.float32(1))
        clustered[name] = clusters.model_copy(update={"scales": tuple(scales.tolist())})
    return kept.model_copy(update={"clustered": clustered})
