"""Laying a Keras graph out again: flat, in float32, of stock layers only."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import keras
import numpy as np

from tkit_edge.errors import InputError

_ACTIVATIONS = {
    "Relu": "relu",
    "ReLU": "relu",
    "Relu6": "relu6",
    "Sigmoid": "sigmoid",
    "Silu": "silu",
    "HardSilu": "hard_silu",
    "HardSigmoid": "hard_sigmoid",
    "Tanh": "tanh",
}
_MERGES = {"Add": keras.layers.Add, "Subtract": keras.layers.Subtract, "Multiply": keras.layers.Multiply}
_PASSING = (keras.layers.Reshape, keras.layers.Flatten, keras.layers.Dropout)


def flat(model: keras.Model, scale: tuple[float, float] | None, path: Path) -> keras.Model:
    """A functional model of `model`'s own layers, nested models unfolded, with a Rescaling in front where asked for.

    It shares the layers and their weights with `model`; `float32` gives one of its own.
    """
    inputs = keras.Input(model.inputs[0].shape[1:], name="image")
    scaled = inputs if scale is None else keras.layers.Rescaling(*scale, name="pixels")(inputs)
    taken = {"image": None, "pixels": None}
    made: dict[Any, keras.layers.Layer] = {}

    def inline(operation: Any) -> Any:
        if isinstance(operation, keras.Model):
            return lambda tensors, **_: _through(operation, tensors, inline)
        name, number = operation.name, 1
        while taken.setdefault(operation.name, operation) is not operation:
            number += 1
            operation.name = f"{name}_{number}"
        if isinstance(operation, keras.layers.Layer):
            return operation

        def call(*arguments: Any, **_: Any) -> Any:
            layer, tensors = _as_layer(operation, arguments, path)
            return made.setdefault(operation, layer)(tensors)

        return call

    return keras.Model(inputs, _through(model, scaled, inline), name=model.name)


def _through(model: keras.Model, tensors: Any, inline: Any) -> Any:
    functional = model._functional if isinstance(model, keras.Sequential) else model
    return functional._run_through_graph(tensors, operation_fn=inline)


def _as_layer(operation: Any, arguments: tuple[Any, ...], path: Path) -> tuple[keras.layers.Layer, Any]:
    """`x + y`, `x * 2`, `x / 127.5`, `keras.ops.relu(x)` and the like as a layer, and what it takes."""
    kind, name = type(operation).__name__, operation.name
    bent = any(getattr(operation, setting, None) for setting in ("negative_slope", "max_value", "threshold"))
    if kind in _ACTIVATIONS and len(arguments) == 1 and not bent:
        return keras.layers.Activation(_ACTIVATIONS[kind], name=name), arguments[0]
    if len(arguments) == 2:
        left, right = arguments
        tensors = [isinstance(item, keras.KerasTensor) for item in arguments]
        if all(tensors) and kind in _MERGES:
            return _MERGES[kind](name=name), [left, right]
        number = left if tensors[1] else right
        if any(tensors) and isinstance(number, (int, float)):
            scales = _scales(kind, number, first=tensors[0])
            if scales is not None:
                return keras.layers.Rescaling(*scales, name=name), right if tensors[1] else left
    raise InputError(
        f"{path}: {operation.name!r} is the bare operation {kind} in a form that tkit makes no layer of. Replace it by "
        "a stock layer (such as Rescaling, Add, Multiply) and save again."
    )


def _scales(kind: str, number: float, *, first: bool) -> tuple[float, float] | None:
    """Scale and offset of an operation on a tensor, which comes first or second, and a number."""
    if kind == "Add":
        return 1.0, number
    if kind == "Multiply":
        return number, 0.0
    if kind == "Subtract":
        return (1.0, -number) if first else (-1.0, number)
    if kind in ("TrueDivide", "Divide") and first and number:
        return 1.0 / number, 0.0
    return None


def float32(model: keras.Model) -> keras.Model:
    """A flat model made anew in float32, with weights of its own."""
    config = json.loads(json.dumps(model.get_config()))
    _to_float32(config)
    for layer in config["layers"]:
        if layer["class_name"] == "Normalization" and layer["config"].get("mean") is None:
            # What adapt() found lies in weights, but counts only once the layer turns them into constants.
            own = model.get_layer(layer["config"]["name"])
            shape = own.adapt_mean.shape
            layer["config"]["mean"] = np.reshape(np.asarray(own.mean, np.float32), shape).tolist()
            layer["config"]["variance"] = np.reshape(np.asarray(own.variance, np.float32), shape).tolist()
    made = keras.Model.from_config(config)
    for layer in made.layers:
        if layer.weights:
            layer.set_weights(model.get_layer(layer.name).get_weights())
    return made


def _to_float32(config: Any) -> None:
    """Every dtype and policy of a model's JSON in place: float32."""
    if isinstance(config, dict):
        for key, value in config.items():
            policy = isinstance(value, dict) and value.get("class_name") == "DTypePolicy"
            if policy or (key == "dtype" and isinstance(value, str)):
                config[key] = "float32"
            else:
                _to_float32(value)
    elif isinstance(config, list):
        for value in config:
            _to_float32(value)


def first_scaling(model: keras.Model) -> keras.layers.Layer | None:
    """The Rescaling or Normalization that a flat model begins with, behind random augmentation at most."""
    tensor = model.inputs[0]
    while True:
        users = [node.operation for node in _nodes(model) if any(item is tensor for item in node.input_tensors)]
        if len(users) != 1:
            return None
        if isinstance(users[0], (keras.layers.Rescaling, keras.layers.Normalization)):
            return users[0]
        if not type(users[0]).__name__.startswith("Random"):
            return None
        tensor = next(node.outputs[0] for node in _nodes(model) if node.operation is users[0])


def _nodes(model: keras.Model) -> list[Any]:
    return [node for nodes in model._nodes_by_depth.values() for node in nodes]


def takes_raw_pixels(layer: keras.layers.Layer) -> bool:
    """Whether a first Rescaling or Normalization makes sense on pixels up to 255, not up to 1."""
    if isinstance(layer, keras.layers.Rescaling):
        return bool(np.max(np.abs(np.asarray(layer.scale))) < 0.1)
    return bool(np.max(np.asarray(layer.variance)) > 10)


def activation_of(model: keras.Model) -> str | None:
    """ "softmax" or "sigmoid" where a flat model ends in it, else None."""
    operation = model.outputs[0]._keras_history.operation
    while isinstance(operation, _PASSING) or _is_linear(operation):
        operation = operation.input._keras_history.operation
    if isinstance(operation, keras.layers.Softmax):
        return "softmax"
    name = getattr(getattr(operation, "activation", None), "__name__", None)
    return name if name in ("softmax", "sigmoid") else None


def _is_linear(operation: Any) -> bool:
    return isinstance(operation, keras.layers.Activation) and operation.activation is keras.activations.linear
