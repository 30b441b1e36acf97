"""Normalizations composed of the runtime's operators; each intermediate result is an int8 tensor.

Sources: Ba et al. 2016 (layer normalization), Wu and He 2018 (group normalization), Zhang and Sennrich 2019 (RMS).
"""

from __future__ import annotations

from typing import Any

import numpy as np
from keras import layers, ops

from tkit.graph import Part, loaded
from tkit.keras_internals import calls_of
from tkit.quantization.functions import Function, Tensors
from tkit.registered import registered


@registered
class FeatureMean(layers.Layer):
    """The mean over some axes, which are kept: [..., features] to [..., 1].

    Args:
        axes: counted from the end, or from the batch axis.
    """

    def __init__(self, axes: tuple[int, ...] = (-1,), **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.axes = tuple(axes)

    def call(self, inputs: Any) -> Any:
        """Any float shape."""
        axes = self.axes[0] if len(self.axes) == 1 else self.axes  # files hold a number or a list
        return ops.mean(inputs, axes, keepdims=True)

    def get_config(self) -> dict[str, Any]:
        """The argument."""
        return {**super().get_config(), "axes": self.axes}


@registered
class InverseRoot(layers.Layer):
    """One over the square root.

    On the device, an input that is rounded to 0 gives the largest code. Training uses the smallest value before
    rounding
    instead: infinity would spoil gradients and moving ranges.

    Args:
        least: the smallest input that isn't rounded.
    """

    def __init__(self, least: float, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.least = least

    def call(self, inputs: Any, training: bool | None = None) -> Any:
        """Any float shape in and out."""
        return ops.rsqrt(ops.maximum(inputs, self.least) if training else inputs)

    def get_config(self) -> dict[str, Any]:
        """The argument."""
        return {**super().get_config(), "least": self.least}


def scaling(factor: np.ndarray, offset: np.ndarray, shape: tuple[int, ...]) -> Function:
    """`factor * x + offset`, both arrays, for tensors [batch, *shape].

    One value per channel is a depthwise convolution, whose weights have one scale per channel; otherwise a product and
    a sum.
    """
    if factor.size != shape[-1] or factor.shape[-1] != shape[-1]:

        def make(x: Any, tensors: Tensors) -> Any:
            return tensors.operator("add", tensors.operator("multiply", x, factor.tolist()), offset.tolist())

        return Function(("scaled",), make)

    pixels = shape if len(shape) == 3 else (1, int(np.prod(shape[:-1])), shape[-1])

    def convolved(x: Any, tensors: Tensors) -> Any:
        output = tensors.add(_depthwise, tensors.reshaped(x, pixels), factor, offset)
        return tensors.reshaped(output, shape)

    return Function((), convolved, complete=len(shape) != 3)


def norm_parts(layer: Any) -> Function | None:
    """A layer, group or RMS normalization in parts; None for any other layer or unknown shapes."""
    if not isinstance(layer, (layers.LayerNormalization, layers.GroupNormalization, layers.RMSNormalization)):
        return None
    shape = tuple(calls_of(layer)[0].input_tensors[0].shape[1:])
    if None in shape:
        return None
    inner: tuple[int, ...] = shape
    axes: tuple[int, ...] = tuple(int(axis) for axis in np.atleast_1d(layer.axis))
    if isinstance(layer, layers.GroupNormalization):
        if layer.axis not in (-1, len(shape)):
            return None
        groups = shape[-1] if layer.groups == -1 else layer.groups
        inner, axes = (int(np.prod(shape[:-1])), groups, shape[-1] // groups), (1, 3)
    gain = _gain(layer, shape)
    after = None if gain is None else scaling(*gain, shape)
    centred = not isinstance(layer, layers.RMSNormalization) and not getattr(layer, "rms_scaling", False)

    def make(x: Any, tensors: Tensors) -> Any:
        middle = tensors.reshaped(x, inner)
        if centred:
            middle = tensors.add(layers.Subtract, [middle, tensors.add(FeatureMean, middle, axes)])
        spread = tensors.add(FeatureMean, tensors.add(layers.Multiply, [middle, middle]), axes)
        raised = tensors.add(layers.Rescaling, spread, 1.0, layer.epsilon)
        root = tensors.add(InverseRoot, raised, layer.epsilon)
        output = tensors.add(layers.Multiply, [middle, root])
        return after.make(tensors.reshaped(output, shape), tensors) if after else output

    parts = (*(("mean", "centred") if centred else ()), "square", "variance", "shifted", "inverse")
    if after:
        parts = (*parts, "normalized", *after.parts)
    return Function(parts, make, complete=bool(after and after.complete))


def _gain(layer: Any, shape: tuple[int, ...]) -> tuple[np.ndarray, np.ndarray] | None:
    """Gain and offset of the normalized values, broadcasting to them; None if there is none."""
    if isinstance(layer, layers.RMSNormalization):
        gain, offset = layer.scale, None
    else:
        gain, offset = layer.gamma if layer.scale else None, layer.beta if layer.center else None
    # Groups have another shape than the result, which needs a separate tensor.
    if gain is None and offset is None and not isinstance(layer, layers.GroupNormalization):
        return None
    axes = {int(axis) % (len(shape) + 1) for axis in np.atleast_1d(layer.axis)}
    own = [size if axis in axes else 1 for axis, size in enumerate(shape, 1)]
    return (
        np.ones(own, np.float32) if gain is None else np.reshape(gain.numpy(), own),
        np.zeros(own, np.float32) if offset is None else np.reshape(offset.numpy(), own),
    )


def _depthwise(factor: np.ndarray, offset: np.ndarray, *, name: str) -> Part:
    convolution = layers.DepthwiseConv2D(1, name=name)
    return loaded(convolution, [np.reshape(factor, (1, 1, -1, 1)), np.ravel(offset)], trainable=False)
