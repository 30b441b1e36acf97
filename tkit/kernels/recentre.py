"""Brings trained weights back to the centers of what they are seen as."""

from __future__ import annotations

from collections.abc import Sequence

import keras

from tkit.plan import Plan


class Recentre(Plan):
    """At the start of each epoch but the first, moves each weight of the layers to the center of its cluster or code.

    Straight-through steps drive weights to the boundary between two values, where they oscillate from step to step
    (Nagel et al. 2022, "Overcoming oscillations in quantization-aware training"), and the layer's outputs with them.
    """

    def __init__(self, layers: Sequence[keras.layers.Layer]) -> None:
        self.layers = layers

    def epoch_begins(self, step: int) -> None:
        """Moves them."""
        for layer in self.layers if step else ():
            layer.raw.assign(layer.viewed())
