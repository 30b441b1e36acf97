"""Converts a model with one score for two classes to one with a score per class, which training and all steps support.

sigmoid(z) is the second part of softmax([-z / 2, z / 2]), so a final Dense(1) becomes a Dense(2) of the same name
with half its kernel, once negated: the same probabilities, and the same decisions.
"""

from __future__ import annotations

import json
from typing import Any

import keras
import numpy as np
from keras import layers

from tkit.keras_files.graph import float32, last_activation
from tkit.keras_internals import nodes, producer

_HALVES = np.array([-0.5, 0.5], np.float32)


def two_classes(model: keras.Model) -> keras.Model:
    """The equivalent, with output [batch, 2], of a flat float32 model with output [batch, 1], the second class's score.

    Scores are logits, or probabilities where `model` ends in a sigmoid; the result's are of the same kind.
    """
    last: Any = producer(model.outputs[0])
    head, activation = last, last_activation(model)
    if (
        activation is not None
        and activation.name == last.name
        and not isinstance(last, layers.Dense)
        and isinstance(last.input, keras.KerasTensor)
    ):
        head = producer(last.input)
    if _is_head(model, head) and activation in (None, last):
        return _changed(model, head.name, activation)
    linear = model if activation is None else _changed(model, None, activation)
    scores = layers.Dense(2, None if activation is None else "softmax", use_bias=False, name=_free_name(model))
    both = scores(linear.outputs[0])
    scores.set_weights([_HALVES[None]])
    return float32(keras.Model(linear.inputs, both, name=model.name))


def _is_head(model: keras.Model, operation: Any) -> bool:
    """Whether this is a dense layer with one score per row that only the model's end consumes."""
    if type(operation) is not layers.Dense or operation.units != 1 or len(operation.output.shape) != 2:
        return False
    if operation.activation not in (keras.activations.linear, keras.activations.sigmoid):
        return False
    ordered = nodes(model)
    calls = [node for node in ordered if node.operation is operation]
    users = [node for node in ordered for item in node.input_tensors if item is calls[0].outputs[0]]
    return len(calls) == 1 and all(node.outputs[0] is model.outputs[0] for node in users)


def _changed(model: keras.Model, head: str | None, activation: Any) -> keras.Model:
    """The model with the layer `head` giving two scores, and a softmax instead of `activation`; if there is no `head`,
    without replacement."""
    config = json.loads(json.dumps(model.get_config()))
    for layer in config["layers"]:
        if layer["name"] == head:
            layer["config"]["units"] = 2
        if activation is not None and layer["name"] == activation.name:
            if not isinstance(activation, layers.Layer):
                layer.update(module="keras.layers", class_name="Activation", registered_name=None)
            layer["config"]["activation"] = "linear" if head is None else "softmax"
    made = keras.Model.from_config(config)
    for layer in made.layers:
        weights = model.get_layer(layer.name).get_weights()
        if layer.name == head:
            weights = [array * _HALVES for array in weights]
        if weights:
            layer.set_weights(weights)
    return made


def _free_name(model: keras.Model) -> str:
    taken, name = {operation.name for operation in model.operations}, "two_classes"
    while name in taken:
        name += "_"
    return name
