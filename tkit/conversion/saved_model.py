"""A model as a SavedModel on disk, and the graph that it was traced to."""

from __future__ import annotations

import re
import warnings
from collections.abc import Sequence
from pathlib import Path

import keras
import tensorflow as tf

from tkit._quiet import chatter_dropped
from tkit.conversion.plain_lookups import plain_lookups
from tkit.conversion.wide_biases import widen_biases
from tkit.graph import input_names, one_or_all


class Saved:
    """Traces a functional model with a batch of 1 and saves it in a new folder; `outputs` are their names."""

    def __init__(self, model: keras.Model, folder: Path, outputs: Sequence[str]) -> None:
        self.model, self.folder = model, folder
        specs = [
            tf.TensorSpec((1, *tensor.shape[1:]), tensor.dtype, name=name)
            for tensor, name in zip(model.inputs, input_names(model), strict=True)
        ]

        def call(*tensors: tf.Tensor) -> dict[str, tf.Tensor]:
            found = keras.tree.flatten(model(one_or_all(list(tensors)), training=False))
            return dict(zip(outputs, found, strict=True))

        function = tf.function(call, input_signature=specs)
        module = tf.Module()
        module.variables_of_model = [variable.value for variable in model.variables]
        self.graph = function.get_concrete_function().graph.as_graph_def()
        with warnings.catch_warnings(), chatter_dropped(everything=True):
            warnings.simplefilter("ignore")
            tf.saved_model.save(module, str(folder), signatures=function)
        widen_biases(folder)
        plain_lookups(folder)

    def layers_with(self, operators: list[str]) -> list[str]:
        """The Keras layers whose part of the graph holds any of the operators."""
        nodes = [(node.op, node.name) for node in self.graph.node]
        for function in self.graph.library.function:
            nodes += [(node.op, f"{function.signature.name}/{node.name}") for node in function.node_def]
        names = "\n".join(name for op, name in nodes if op in operators)
        # A retraced layer's scope has a number after its name.
        return [
            layer.name
            for layer in self.model.layers
            if re.search(rf"(?:^|[/_]){re.escape(layer.name)}(?:_\d+)?[/_]", names, re.M)
        ]
