"""How int8 treats each kind of layer and of bare operation: tables, and what a layer computes at inference."""

from __future__ import annotations

from typing import Any, Literal

import keras
import numpy as np
from keras import layers

from tkit.augmentation import passes_at_inference
from tkit.keras_internals import calls_of
from tkit.passes.folding import affine

FUSED = ("linear", "relu", "relu6")
"""Activation functions that the runtime fuses with a convolution."""
BOUNDED = {
    "softmax": (0.0, 255 / 256),
    "sigmoid": (0.0, 255 / 256),
    "tanh": (-1.0, 127 / 128),
    "log_softmax": (-255 / 16, 0.0),
}
"""Those whose int8 range the runtime prescribes."""
FREE = ("leaky_relu", "gelu", "hard_silu", "exponential")
"""Those that are one operator with its own range."""

Kind = Literal["same", "rounded", "joined", "own", "sum"]
_MERGES = (layers.Add, layers.Subtract, layers.Multiply)
_LAYERS: dict[Kind, tuple[type, ...]] = {
    # Values move, but keep their codes.
    "same": (
        *(layers.MaxPooling1D, layers.MaxPooling2D, layers.GlobalMaxPooling1D, layers.GlobalMaxPooling2D),
        *(layers.Flatten, layers.Reshape, layers.Permute, layers.RepeatVector),
        *(layers.ZeroPadding1D, layers.ZeroPadding2D, layers.Cropping1D, layers.Cropping2D, layers.CenterCrop),
        *(layers.UpSampling1D, layers.UpSampling2D, layers.Resizing),
    ),
    # Rounded to the input's codes.
    "rounded": (layers.AveragePooling1D, layers.AveragePooling2D),
    # All inputs and the output have the same codes.
    "joined": (layers.Concatenate, layers.Maximum, layers.Minimum),
    "own": (layers.GlobalAveragePooling1D, layers.GlobalAveragePooling2D, layers.Dot),
}
_OPERATIONS: dict[Kind, set[str]] = {
    "same": {
        *("Reshape", "Transpose", "Squeeze", "ExpandDims", "GetItem", "Split", "Repeat", "Tile", "Swapaxes"),
        *("Moveaxis", "Ravel", "Max", "Amax", "Min", "Amin", "Identity", "MaxPool"),
    },
    "rounded": {"AveragePool"},
    "joined": {"Concatenate", "Maximum", "Minimum", "Stack"},
    "own": {"Mean", "Sum", "Matmul", "Gelu", "LeakyRelu", "Sqrt", "Absolute"},
    "sum": {"Add", "Subtract", "Multiply"},
}
_RESIZED = ("nearest", "bilinear")


def kind_of(node: Any) -> Kind | None:
    """The kind of a layer that has no kernel and no activation function, or of a bare operation."""
    layer = node.operation
    if not isinstance(layer, layers.Layer):
        name = type(layer).__name__
        if name in ("Maximum", "Minimum") and len(node.input_tensors) == 1:  # of a tensor and a number
            return "own"
        if name == "Pad" and _pads_known(node):
            return "same"
        return next((kind for kind, names in _OPERATIONS.items() if name in names), None)
    if isinstance(layer, (layers.UpSampling2D, layers.Resizing)):
        plain = layer.interpolation in _RESIZED and not getattr(layer, "antialias", False)
        return "same" if plain else None
    if isinstance(layer, _MERGES):
        return "sum" if len(node.input_tensors) == 2 else None
    if passes_at_inference(layer):
        return "same"
    return next((kind for kind, types in _LAYERS.items() if isinstance(layer, types)), None)


def _pads_known(node: Any) -> bool:
    """Whether the padding is zeros or values of the tensor."""
    modes = ("constant", "reflect", "symmetric")
    return node.operation.mode in modes and len(node.arguments.args) == 1 and not any(node.arguments.kwargs.values())


def function_of(layer: Any) -> str | None:
    """The activation function that a layer is or ends with, if it is one operator; None for any other."""
    if isinstance(layer, layers.ReLU):
        if layer.threshold or (layer.negative_slope and layer.max_value is not None):
            return None
        return "leaky_relu" if layer.negative_slope else {None: "relu", 6.0: "relu6"}.get(layer.max_value)
    if isinstance(layer, layers.LeakyReLU):
        return "leaky_relu"
    if isinstance(layer, layers.Softmax):
        return "softmax" if layer.axis in (-1, _rank(layer) - 1) else None
    function = getattr(layer, "activation", None)
    for name in (*FUSED, *BOUNDED, *FREE):
        if function is keras.activations.get(name):
            return name
    return None


def _rank(layer: Any) -> int:
    return len(calls_of(layer)[0].input_tensors[0].shape)


def affine_of(layer: Any) -> tuple[np.ndarray, np.ndarray] | None:
    """Factor and offset of a layer that scales and shifts by numbers: float32 scalars, or both of one shape.

    The shape broadcasts to the layer's input.
    """
    if isinstance(layer, layers.Rescaling):
        factor, offset = (np.asarray(item, np.float32) for item in (layer.scale, layer.offset))
    elif isinstance(layer, layers.Normalization):
        deviation = np.maximum(np.sqrt(np.asarray(layer.variance, np.float32)), keras.config.epsilon())
        mean = np.asarray(layer.mean, np.float32)
        factor, offset = (deviation, mean) if layer.invert else (1 / deviation, -mean / deviation)
    elif isinstance(layer, layers.BatchNormalization):
        factor, offset = affine(layer)
        own = layer.axis % _rank(layer)
        if own != _rank(layer) - 1:
            shape = [-1 if axis == own else 1 for axis in range(1, _rank(layer))]
            factor, offset = (np.reshape(item, shape) for item in (factor, offset))
    else:
        return None
    factor, offset = np.broadcast_arrays(factor, offset)
    return (factor, offset) if factor.size > 1 else (factor.ravel()[0], offset.ravel()[0])
