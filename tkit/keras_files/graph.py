"""Rebuilds a Keras graph: flat, in float32, of stock layers only."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
from keras import Operation

from tkit.graph import input_names, one_or_all
from tkit.keras_internals import all_layers, lora_kernel, producer, run_through

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
_PASSING = (keras.layers.Reshape, keras.layers.Flatten, keras.layers.Dropout, keras.layers.Identity)
_PASSING_OPERATIONS = ("Reshape", "Squeeze", "Cast", "Copy")


def flat(model: keras.Model, front: Sequence[Operation] = (), names: Sequence[str] | None = None) -> keras.Model:
    """A functional model of `model`'s own layers, nested models flattened, with the operations of `front` before it.

    Each layer and operation gets a unique name. The result shares the layers and their weights with `model`; `float32`
    returns one with separate weights.

    Args:
        model: functional or Sequential.
        front: operations on the only input.
        names: of the inputs; by default their own, and `image` for a model of one image.
    """
    names = names or input_names(model)
    inputs = [
        keras.Input(tensor.shape[1:], dtype=None if "float" in tensor.dtype else tensor.dtype, name=name)
        for tensor, name in zip(model.inputs, names, strict=True)
    ]
    tensors: Any = inputs[0] if len(inputs) == 1 else inputs
    taken: dict[str, Any] = dict.fromkeys(names)
    made: dict[Any, keras.layers.Layer] = {}

    def inline(operation: Any) -> Any:
        if isinstance(operation, keras.Model):
            return lambda tensors, **_: run_through(operation, tensors, inline)
        name, number = operation.name, 1
        while taken.setdefault(operation.name, operation) is not operation:
            number += 1
            operation.name = f"{name}_{number}"
        if isinstance(operation, keras.layers.Layer):
            return operation

        def call(*arguments: Any, **keywords: Any) -> Any:
            layer, tensors = _as_layer(operation, arguments, keywords)
            if layer is None:
                return operation(*arguments, **keywords)
            return made.setdefault(operation, layer)(tensors)

        return call

    for operation in front:
        tensors = inline(operation)(tensors)
    outputs = keras.tree.flatten(run_through(model, tensors, inline))
    return keras.Model(one_or_all(inputs), one_or_all(outputs), name=model.name)


def _as_layer(operation: Any, arguments: tuple[Any, ...], keywords: dict[str, Any]) -> tuple[Any, Any]:
    """`x + y`, `x * 2`, `x / 127.5`, `keras.ops.relu(x)` and the like as a layer, and its input; else None."""
    kind, name = type(operation).__name__, operation.name
    bent = any(getattr(operation, setting, None) for setting in ("negative_slope", "max_value", "threshold"))
    tensors = [isinstance(item, keras.KerasTensor) and "float" in item.dtype for item in arguments]
    if kind in _ACTIVATIONS and tensors == [True] and not bent and not keywords:
        return keras.layers.Activation(_ACTIVATIONS[kind], name=name), arguments[0]
    if len(arguments) == 2 and any(tensors) and not keywords:
        left, right = arguments
        if all(tensors) and kind in _MERGES and len(left.shape) == len(right.shape):
            return _MERGES[kind](name=name), [left, right]
        number = left if tensors[1] else right
        scales = _scales(kind, number, first=tensors[0]) if _is_number(number) else None
        if scales is not None:
            return keras.layers.Rescaling(*scales, name=name), right if tensors[1] else left
    return None, None


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


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
    """A flat model rebuilt in float32, with its own weights; those of LoRA are merged into the kernels."""
    config = json.loads(json.dumps(model.get_config()))
    _to_float32(config)
    for layer in config["layers"]:
        if layer["class_name"] == "Normalization" and layer["config"].get("mean") is None:
            # The results of adapt() are in weights, but take effect only once the layer turns them into constants.
            own = model.get_layer(layer["config"]["name"])
            shape = own.adapt_mean.shape
            layer["config"]["mean"] = np.reshape(np.asarray(own.mean, np.float32), shape).tolist()
            layer["config"]["variance"] = np.reshape(np.asarray(own.variance, np.float32), shape).tolist()
    made = keras.Model.from_config(config)
    for layer in made.layers:
        if layer.weights:
            layer.set_weights(_merged_weights(model.get_layer(layer.name)))
    return made


def _merged_weights(layer: keras.layers.Layer) -> list[np.ndarray]:
    """A layer's weights, with LoRA merged in."""
    merged = {}
    for part in all_layers(layer):
        if found := lora_kernel(part):
            merged[id(found[0])] = np.asarray(found[1])
    kept = [variable for variable in layer.weights if not variable.name.startswith("lora_")]
    return [merged[id(variable)] if id(variable) in merged else variable.numpy() for variable in kept]


def _to_float32(config: Any) -> None:
    """Sets every floating dtype and policy of a model's JSON to float32, in place, and removes LoRA's settings."""
    if isinstance(config, dict):
        for key in ("lora_rank", "lora_alpha"):
            config.pop(key, None)
        for key, value in config.items():
            policy = isinstance(value, dict) and value.get("class_name") == "DTypePolicy"
            if policy or (key == "dtype" and isinstance(value, str) and ("float" in value)):
                config[key] = "float32"
            else:
                _to_float32(value)
    elif isinstance(config, list):
        for value in config:
            _to_float32(value)


def last_activation(model: keras.Model) -> Operation | None:
    """The layer or operation with the softmax or sigmoid that a flat model ends in, None where it ends in logits."""
    operation = producer(model.outputs[0])
    while isinstance(operation, _PASSING) or type(operation).__name__ in _PASSING_OPERATIONS or _is_linear(operation):
        tensor = operation.input
        if not isinstance(tensor, keras.KerasTensor):
            return None
        operation = producer(tensor)
    return operation if _activation(operation) else None


def activation_of(model: keras.Model) -> str | None:
    """ "softmax" or "sigmoid" where a flat model ends in it, else None."""
    operation = last_activation(model)
    return None if operation is None else _activation(operation)


def _activation(operation: Any) -> str | None:
    kind = type(operation).__name__
    if kind in ("Softmax", "Sigmoid"):  # the layer, or the operations
        return kind.lower()
    name = getattr(getattr(operation, "activation", None), "__name__", None)
    return name if name in ("softmax", "sigmoid") else None


def _is_linear(operation: Any) -> bool:
    return isinstance(operation, keras.layers.Activation) and operation.activation is keras.activations.linear
