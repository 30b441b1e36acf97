"""A model as a function of TensorFlow with named inputs and outputs, which every export begins with."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Any

import keras
import tensorflow as tf

from tkit.graph import input_names, one_or_all


def traced(model: keras.Model, outputs: Sequence[str], batch: int | None) -> tuple[Any, list[tf.TensorSpec]]:
    """The function, which gives a dict, and what it takes.

    Args:
        model: functional.
        outputs: the names of its outputs; the inputs have the model's own.
        batch: the number of examples; None where it stays open.
    """
    specs = [
        tf.TensorSpec((batch, *tensor.shape[1:]), tensor.dtype, name=name)
        for tensor, name in zip(model.inputs, input_names(model), strict=True)
    ]

    def call(*tensors: tf.Tensor) -> dict[str, tf.Tensor]:
        found = keras.tree.flatten(model(one_or_all(list(tensors)), training=False))
        return dict(zip(outputs, found, strict=True))

    return tf.function(call, input_signature=specs), specs


def layers_at(model: keras.Model, nodes: Iterable[str]) -> list[str]:
    """The layers whose parts of the graph hold nodes of these names."""
    names = "\n".join(nodes)
    # A retraced layer's scope has a number after its name.
    return [
        layer.name
        for layer in model.layers
        if re.search(rf"(?:^|[/_]){re.escape(layer.name)}(?:_\d+)?[/_]", names, re.M)
    ]
