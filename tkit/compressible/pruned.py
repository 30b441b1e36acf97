"""Models whose smallest weights become 0 while they are trained."""

from __future__ import annotations

from collections.abc import Sequence

import keras
import numpy as np

from tkit import console
from tkit.compressible.model import Compressible, Method
from tkit.compressible.selection import chosen, say_what_stays
from tkit.kernels.masks import MaskPlan, Masks, sparsity_of
from tkit.kernels.viewed import stock, view
from tkit.plan import Plan
from tkit.promises import Kept, State
from tkit.registered import registered
from tkit_edge.errors import InputError


@registered
class Pruned(Method):
    """Masked training."""

    layers: tuple[str, ...]
    sparsity: float
    pattern: tuple[int, int] | None
    block: tuple[int, int]
    together: bool
    gradual: bool

    @property
    def masks(self) -> Masks:
        """The rule."""
        return Masks(self.sparsity, self.pattern, self.block, self.together)

    def plans(self, source: keras.Model, trained: keras.Model, total: int) -> Sequence[Plan]:
        """Sparsity rises over the first half, or is there from the start."""
        nonzero = [source.get_layer(name).raw.numpy() != 0 for name in self.layers]
        layers = [trained.get_layer(name) for name in self.layers]
        return [MaskPlan(self.masks, layers, nonzero, total=total, gradual=self.gradual)]

    def finished(self, graph: keras.Model, kept: Kept, origin: keras.Model | None) -> State:
        """The model with zeros for its masked weights."""
        self._check(graph)
        model = stock(graph)
        pruned = {name: sparsity_of(model.get_layer(name)) for name in self.layers}
        return State(model, kept.model_copy(update={"pruned": {**kept.pruned, **pruned}}))

    def _check(self, graph: keras.Model) -> None:
        layers = [graph.get_layer(name) for name in self.layers]
        wanted = sum(map(np.count_nonzero, self.masks.make(layers, 1.0)))
        left = sum(np.count_nonzero(layer.views["masked"].mask.numpy()) for layer in layers)
        if left > wanted:
            total = sum(layer.views["masked"].mask.numpy().size for layer in layers)
            raise InputError(
                f"{graph.name!r} has {1 - left / total:.1%} zeros, {1 - wanted / total:.1%} are asked for: its "
                "training hasn't come to the end of the schedule. Train it with callbacks=[tkit.Schedule()], for at "
                "least half of `steps` where that was given."
            )


def pruned(state: State, masks: Masks, *, skip: Sequence[str], gradual: bool, steps: int | None = None) -> Compressible:
    """The model with masks on its kernels; what was 0 before stays 0.

    Args:
        state: it isn't changed.
        masks: which weights.
        skip: layers that stay as they are, by name or kind.
        gradual: whether sparsity rises, or is all there from the start.
        steps: of training, where they are known beforehand.

    Raises:
        InputError: as `prunable_layers`.
    """
    layers = prunable_layers(state.model, masks, skip)
    names = [layer.name for layer in layers]
    say_what_stays(state.model, layers, "prune")
    dense = [layer.name for layer in chosen(state.model, skip, "prune") if layer.name not in names]
    if dense:
        console.say(f"prune: {masks.size} doesn't divide the kernels of {', '.join(dense)}: they stay dense")
    graph = view(state.model, {name: [("masked", {})] for name in dict.fromkeys([*state.kept.pruned, *names])})
    method = Pruned(
        layers=tuple(names),
        sparsity=masks.sparsity,
        pattern=masks.pattern,
        block=masks.block,
        together=masks.together,
        gradual=gradual,
        steps=steps,
    )
    return Compressible.of(graph, method, state.kept)


def prunable_layers(model: keras.Model, masks: Masks, skip: Sequence[str]) -> list[keras.layers.Layer]:
    """The layers whose kernels `masks` fit, less those that `skip` names.

    Raises:
        InputError: there are none, or `skip` names a layer that isn't there.
    """
    layers = [layer for layer in chosen(model, skip, "prune") if masks.fits(layer)]
    if not layers:
        raise InputError(f"prune: {masks.size} divides the kernel of no layer. Choose another size.")
    return layers
