"""Copies of functional models: `cloned` with other layers, `rewritten` and `rebuilt` with another graph."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

import keras

from tkit.keras_internals import has_one_output, nodes, producer
from tkit_edge.tensors import TensorSpec

Call = Callable[[Any, tuple[Any, ...], dict[str, Any]], Any]
"""From a node of the old graph and its new input tensors, its new output tensors."""
Part = Callable[..., Any]
"""What is called instead of a layer, with the layer's arguments."""


def users(model: keras.Model) -> dict[int, list[Any]]:
    """By a tensor's id, the nodes that consume it; None stands for the consumer of the model's outputs."""
    found: dict[int, list[Any]] = {}
    for node in nodes(model):
        for tensor in node.input_tensors:
            found.setdefault(id(tensor), []).append(node)
    for tensor in model.outputs:
        found.setdefault(id(tensor), []).append(None)
    return found


def calls(model: keras.Model) -> Counter[str]:
    """Number of calls of each layer."""
    return Counter(node.operation.name for node in nodes(model))


def input_names(model: keras.Model) -> list[str]:
    """What the inputs are called; `image` where an image is the only one, whatever its layer is called."""
    return ["image"] if takes_image(model) else [_name(tensor) for tensor in model.inputs]


def takes_image(model: keras.Model) -> bool:
    """Whether the one input is grey or colour pixels: [batch, height, width, 1 or 3]."""
    shapes = [tuple(tensor.shape) for tensor in model.inputs]
    return len(shapes) == 1 and len(shapes[0]) == 4 and shapes[0][3] in (1, 3)


def one_or_all(tensors: list[Any]) -> Any:
    """A list's only tensor, or the list."""
    return tensors[0] if len(tensors) == 1 else tensors


def flattened(model: keras.Model) -> keras.Model:
    """The same layers with a list of inputs and of outputs, or the only one alone, whatever structures these had."""
    return keras.Model(one_or_all(model.inputs), one_or_all(model.outputs), name=model.name)


def of_size(model: keras.Model, specs: Sequence[TensorSpec]) -> keras.Model:
    """The model for inputs of these very shapes; itself where none of its own has an open size."""
    if not any(None in tensor.shape[1:] for tensor in model.inputs):
        return model
    inputs = [
        keras.Input(spec.shape, dtype=old.dtype, name=_name(old)) for old, spec in zip(model.inputs, specs, strict=True)
    ]
    made = keras.models.clone_model(model, input_tensors=one_or_all(inputs), clone_function=clone)
    made.set_weights(model.get_weights())
    for new, layer in zip(made.layers, model.layers, strict=True):
        new.trainable = layer.trainable
    return made


def rebuilt(model: keras.Model, start: Callable[[keras.KerasTensor], keras.KerasTensor], call: Call) -> keras.Model:
    """A model of the same inputs, whose graph results from `start` on each input and `call` on each node."""
    inputs = [keras.Input(batch_shape=old.shape, dtype=old.dtype, name=_name(old)) for old in model.inputs]
    tensors = {id(old): start(new) for old, new in zip(model.inputs, inputs, strict=True)}
    for node in nodes(model):
        arguments, keywords = node.arguments.fill_in(tensors)
        made = keras.tree.flatten(call(node, arguments, keywords))
        tensors.update((id(old), new) for old, new in zip(node.outputs, made, strict=True))
    outputs = [tensors[id(old)] for old in model.outputs]
    return keras.Model(
        inputs if len(inputs) > 1 else inputs[0], outputs[0] if has_one_output(model) else outputs, name=model.name
    )


def cloned(model: keras.Model, make: Callable[[Any], Any] | None = None) -> keras.Model:
    """A copy with the same graph, and with `make(layer)` in the place of each layer or bare operation.

    A layer has the values of the one that it stands for: of another class, those of the variables with the same name.

    Args:
        model: functional or Sequential.
        make: a new layer with the same name; `clone` by default.
    """
    copy = keras.models.clone_model(model, clone_function=make or clone)
    for made, layer in zip(copy.layers, model.layers, strict=True):
        if type(made) is type(layer):
            made.set_weights(layer.get_weights())
            continue
        values = {variable.name: variable.numpy() for variable in layer.weights}
        for variable in made.weights:
            if variable.name in values:
                variable.assign(values[variable.name])
    return copy


def rewritten(model: keras.Model, replace: Callable[[Any], Part | None]) -> keras.Model:
    """A copy of `model` in which some layers are replaced; `model` itself if none is.

    Args:
        model: a functional model; bare operations are called again.
        replace: from a layer's first node, what is called instead in all of its nodes; None: a copy of the layer.
    """
    parts: dict[int, Part | None] = {}
    for node in nodes(model):
        if id(node.operation) not in parts:
            parts[id(node.operation)] = replace(node)
    if not any(parts.values()):
        return model
    made = {id(item): parts[id(item)] or copied(item) for item in model.operations if id(item) in parts}

    def call(node: Any, arguments: tuple[Any, ...], keywords: dict[str, Any]) -> Any:
        given = {key: value for key, value in keywords.items() if value is not None}  # mask=None, say
        return made[id(node.operation)](*arguments, **given)

    return rebuilt(model, lambda tensor: tensor, call)


def copied(operation: Any) -> Part:
    """A copy of a layer, with its own weights; a bare operation itself."""
    if not isinstance(operation, keras.layers.Layer):
        return operation
    return loaded(clone(operation), operation.get_weights(), operation.trainable)


def loaded(layer: keras.layers.Layer, weights: list[Any], trainable: bool = True) -> Part:
    """`layer`, which gets its weights as soon as its first call has created them."""
    waiting = [weights]

    def call(*arguments: Any, **keywords: Any) -> Any:
        outputs = layer(*arguments, **keywords)
        if waiting:
            layer.set_weights(waiting.pop())
            layer.trainable = trainable
        return outputs

    return call


def chained(*parts: Part) -> Part:
    """Calls one after the other, each with the previous one's output."""

    def call(*arguments: Any, **keywords: Any) -> Any:
        outputs = parts[0](*arguments, **keywords)
        for part in parts[1:]:
            outputs = part(outputs)
        return outputs

    return call


def names(model: keras.Model) -> set[str]:
    """The names of all layers and bare operations."""
    return {operation.name for operation in model.operations}


def fresh(name: str, taken: set[str]) -> str:
    """`name`, or the first of `name__2`, `name__3` ... that isn't taken; it is added to `taken`."""
    made, number = name, 1
    while made in taken:
        number += 1
        made = f"{name}__{number}"
    taken.add(made)
    return made


def clone(layer: Any, into: type[keras.layers.Layer] | None = None, **changes: Any) -> Any:
    """A new layer with the same settings except for `changes`, of the class `into` if one is given.

    A bare operation is returned itself, and so is a Lambda, because Keras doesn't recreate its code.
    """
    if isinstance(layer, keras.layers.Lambda) or not isinstance(layer, keras.layers.Layer):
        return layer
    return (into or type(layer)).from_config({**layer.get_config(), **changes})


def _name(tensor: keras.KerasTensor) -> str:
    return str(producer(tensor).name)
