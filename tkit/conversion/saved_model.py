"""A model as a SavedModel on disk, and the graph that it was traced to."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import keras
import tensorflow as tf

from tkit._quiet import chatter_dropped
from tkit.conversion.plain_lookups import plain_lookups
from tkit.conversion.traced import layers_at, traced
from tkit.conversion.wide_biases import widen_biases


def save(model: keras.Model, function: Any, folder: Path) -> None:
    """Writes a model's traced function as a SavedModel."""
    module = tf.Module()
    module.variables_of_model = [variable.value for variable in model.variables]
    with warnings.catch_warnings(), chatter_dropped(everything=True):
        warnings.simplefilter("ignore")
        tf.saved_model.save(module, str(folder), signatures=function)


class Saved:
    """Traces a functional model with a batch of 1 and saves it in a new folder; `outputs` are their names."""

    def __init__(self, model: keras.Model, folder: Path, outputs: Sequence[str]) -> None:
        self.model, self.folder = model, folder
        function, _ = traced(model, outputs, batch=1)
        self.graph = function.get_concrete_function().graph.as_graph_def()
        save(model, function, folder)
        widen_biases(folder)
        plain_lookups(folder)

    def layers_with(self, operators: list[str]) -> list[str]:
        """The Keras layers whose part of the graph holds any of the operators."""
        nodes = [(node.op, node.name) for node in self.graph.node]
        for function in self.graph.library.function:
            nodes += [(node.op, f"{function.signature.name}/{node.name}") for node in function.node_def]
        return layers_at(self.model, [name for op, name in nodes if op in operators])
