"""Replaces bare operations of `keras.ops` in a model's graph by equivalent stock layers, where they exist."""

from __future__ import annotations

from typing import Any

import keras
from keras import layers

from tkit.graph import Part

_ACTIVATIONS = {
    "Relu": "relu",
    "Relu6": "relu6",
    "Sigmoid": "sigmoid",
    "Tanh": "tanh",
    "Silu": "silu",
    "HardSilu": "hard_silu",
    "HardSigmoid": "hard_sigmoid",
    "HardTanh": "hard_tanh",
    "Selu": "selu",
    "Softsign": "softsign",
    "SoftSign": "softsign",
    "Softplus": "softplus",
    "Exp": "exponential",
}
_MERGES = {"Add": layers.Add, "Subtract": layers.Subtract, "Multiply": layers.Multiply}


def as_layer(node: Any) -> Part | None:
    """The layer that replaces a bare operation, under its name; None for a layer, or if there is no such layer."""
    operation = node.operation
    if isinstance(operation, layers.Layer):
        return None
    kind, name = type(operation).__name__, operation.name
    tensors = node.input_tensors
    numbers = [item for item in node.arguments.args if isinstance(item, (int, float))]
    if len(tensors) == 1 and len(node.arguments.args) == 2 and numbers:
        first = isinstance(node.arguments.args[0], keras.KerasTensor)
        return _with_number(kind, name, float(numbers[0]), first)
    if len(tensors) == 2 and kind in _MERGES and len(tensors[0].shape) == len(tensors[1].shape):
        return _of_all(_MERGES[kind](name=name))
    if kind == "Concatenate" and operation.axis != 0:
        return _of_all(layers.Concatenate(operation.axis, name=name))
    if len(tensors) != 1 or len(node.outputs) != 1:
        return None
    made = _of_one(operation, kind, name, tuple(tensors[0].shape), tuple(node.outputs[0].shape))
    return None if made is None else lambda *arguments, **keywords: made(_tensors(arguments, keywords)[0])


def _of_one(operation: Any, kind: str, name: str, before: tuple[Any, ...], after: tuple[Any, ...]) -> Any:
    """The layer of an operation on one tensor, whose settings are the operation's own."""
    if kind in _ACTIVATIONS:
        return layers.Activation(_ACTIVATIONS[kind], name=name)
    if kind == "Negative":
        return layers.Rescaling(-1.0, name=name)
    if kind == "Square":
        product = layers.Multiply(name=name)
        return lambda tensor: product([tensor, tensor])
    if kind in ("Softmax", "LogSoftmax") and operation.axis in (-1, len(before) - 1):
        return layers.Activation("softmax" if kind == "Softmax" else "log_softmax", name=name)
    if kind == "Softmax" and isinstance(operation.axis, int):
        return layers.Softmax(operation.axis, name=name)
    if kind == "Elu":
        return layers.ELU(operation.alpha, name=name)
    if kind == "Clip" and operation.x_min == 0:
        return layers.ReLU(float(operation.x_max), name=name)
    if kind == "Clip" and (operation.x_min, operation.x_max) == (-1, 1):
        return layers.Activation("hard_tanh", name=name)
    if kind == "Reshape" and None not in after[1:]:
        return layers.Reshape(after[1:], name=name)
    if kind == "Transpose" and operation.axes is not None and operation.axes[0] == 0:
        return layers.Permute(operation.axes[1:], name=name)
    if kind in ("Mean", "Max") and operation.axis is not None:
        return _pooled(operation, kind, name, len(before))
    return None


def _pooled(operation: Any, kind: str, name: str, rank: int) -> keras.layers.Layer | None:
    axes = operation.axis if isinstance(operation.axis, (list, tuple)) else [operation.axis]
    made = {
        ("Mean", 4): layers.GlobalAveragePooling2D,
        ("Mean", 3): layers.GlobalAveragePooling1D,
        ("Max", 4): layers.GlobalMaxPooling2D,
        ("Max", 3): layers.GlobalMaxPooling1D,
    }.get((kind, rank))
    if made is None or sorted(axis % rank for axis in axes) != list(range(1, rank - 1)):
        return None
    return made(keepdims=bool(operation.keepdims), name=name)


def _with_number(kind: str, name: str, number: float, first: bool) -> Part | None:
    """An operation on a tensor, which comes first or second, and a number."""
    scales = {
        "Add": (1.0, number),
        "Multiply": (number, 0.0),
        "Subtract": (1.0, -number) if first else (-1.0, number),
    }
    if first and number and kind in ("Divide", "TrueDivide"):
        scales[kind] = (1.0 / number, 0.0)
    if kind in scales:
        scaling = layers.Rescaling(*scales[kind], name=name)
        return lambda *arguments, **keywords: scaling(_tensors(arguments, keywords)[0])
    if kind == "Power" and first and number == 2:
        product = layers.Multiply(name=name)
        return lambda *arguments, **keywords: product(_tensors(arguments, keywords) * 2)
    return None


def _of_all(layer: keras.layers.Layer) -> Part:
    return lambda *arguments, **keywords: layer(_tensors(arguments, keywords))


def _tensors(arguments: Any, keywords: Any) -> list[Any]:
    return [item for item in keras.tree.flatten((arguments, keywords)) if isinstance(item, keras.KerasTensor)]
