"""Brings trained weights back to the centers of what they are seen as."""

from __future__ import annotations

from collections.abc import Sequence

import keras


class Recentre(keras.callbacks.Callback):
    """At the start of each epoch but the first, moves each weight of the named layers to the center of its cluster or
    code.

    Straight-through steps drive weights to the boundary between two values, where they oscillate from step to step
    (Nagel et al. 2022, "Overcoming oscillations in quantization-aware training"), and the layer's outputs with them.
    """

    def __init__(self, names: Sequence[str]) -> None:
        super().__init__()
        self.names = tuple(names)

    def on_epoch_begin(self, epoch: int, logs: dict | None = None) -> None:
        """Does nothing when training resumes within an epoch, which has already begun."""
        if epoch and int(self.model.optimizer.iterations.numpy()) == epoch * self.params["steps"]:
            for name in self.names:
                layer = self.model.get_layer(name)
                layer.raw.assign(layer.viewed())
