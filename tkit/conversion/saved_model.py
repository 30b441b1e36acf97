"""A model as a SavedModel on disk, and the graph that it was traced to."""

from __future__ import annotations

import re
import warnings
from pathlib import Path

import keras
import tensorflow as tf

from tkit._quiet import chatter_dropped
from tkit.conversion.wide_biases import widen_biases


class Saved:
    """Traces a functional model of images with a batch of 1 and saves it in a new folder."""

    def __init__(self, model: keras.Model, folder: Path) -> None:
        self.model, self.folder = model, folder
        spec = tf.TensorSpec((1, *model.inputs[0].shape[1:]), tf.float32, name="image")
        function = tf.function(lambda image: _named(model(image, training=False)), input_signature=[spec])
        module = tf.Module()
        module.variables_of_model = [variable.value for variable in model.variables]
        self.graph = function.get_concrete_function().graph.as_graph_def()
        with warnings.catch_warnings(), chatter_dropped(everything=True):
            warnings.simplefilter("ignore")
            tf.saved_model.save(module, str(folder), signatures=function)
        widen_biases(folder)

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


def _named(outputs: tf.Tensor | list[tf.Tensor]) -> dict[str, tf.Tensor]:
    if isinstance(outputs, (list, tuple)):
        return {f"output_{number}": tensor for number, tensor in enumerate(outputs)}
    return {"logits": outputs}
