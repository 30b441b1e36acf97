"""Laying a functional model's graph out again, node by node."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

import keras

Call = Callable[[Any, tuple[Any, ...], dict[str, Any]], Any]
"""From a node of the old graph and the new tensors that it takes, the new tensors that it gives."""


def nodes(model: keras.Model) -> Iterator[Any]:
    """The calls of a functional model's layers, each after those whose tensors it takes."""
    for depth in sorted(model._nodes_by_depth, reverse=True):
        yield from (node for node in model._nodes_by_depth[depth] if not node.is_input)


def users(model: keras.Model) -> dict[int, list[Any]]:
    """By the id of a tensor, the nodes that take it; the model's outputs are taken by a None."""
    found: dict[int, list[Any]] = {}
    for node in nodes(model):
        for tensor in node.input_tensors:
            found.setdefault(id(tensor), []).append(node)
    for tensor in model.outputs:
        found.setdefault(id(tensor), []).append(None)
    return found


def calls(model: keras.Model) -> Counter[str]:
    """How often each layer is called."""
    return Counter(node.operation.name for node in nodes(model))


def rebuilt(model: keras.Model, start: Callable[[keras.KerasTensor], keras.KerasTensor], call: Call) -> keras.Model:
    """A model of the same inputs whose graph is what `start` makes of an input and `call` of each node."""
    inputs = [keras.Input(batch_shape=old.shape, dtype=old.dtype, name=_name(old)) for old in model.inputs]
    tensors = {id(old): start(new) for old, new in zip(model.inputs, inputs, strict=True)}
    for node in nodes(model):
        arguments, keywords = node.arguments.fill_in(tensors)
        made = keras.tree.flatten(call(node, arguments, keywords))
        tensors.update((id(old), new) for old, new in zip(node.outputs, made, strict=True))
    outputs = [tensors[id(old)] for old in model.outputs]
    single = not isinstance(model._outputs_struct, (list, tuple, dict))
    return keras.Model(inputs if len(inputs) > 1 else inputs[0], outputs[0] if single else outputs, name=model.name)


def clone(layer: keras.layers.Layer, **changes: Any) -> keras.layers.Layer:
    """A new layer of the same settings but for `changes`; a Lambda itself, as Keras doesn't make its code again."""
    if isinstance(layer, keras.layers.Lambda):
        return layer
    return type(layer).from_config({**layer.get_config(), **changes})


def _name(tensor: keras.KerasTensor) -> str:
    return str(tensor._keras_history.operation.name)
