"""The channel axes in the weights of each kind of layer that can be narrowed.

A side is one channel axis of a layer: its input channels (taken), its output channels (given), both at once (through),
and for separable convolutions the channels between their two kernels.
"""

from __future__ import annotations

from typing import Literal

import keras

Side = Literal["taken", "given", "through", "between"]

OWN: tuple[Side, ...] = ("given", "through")
"""The sides on which a weight belongs to an output channel of the layer, and is removed with it."""

CONVOLUTIONS = (keras.layers.Conv1D, keras.layers.Conv2D, keras.layers.Conv3D)
TRANSPOSED = (keras.layers.Conv1DTranspose, keras.layers.Conv2DTranspose, keras.layers.Conv3DTranspose)
DEPTHWISE = (keras.layers.DepthwiseConv1D, keras.layers.DepthwiseConv2D)
SEPARABLE = (keras.layers.SeparableConv1D, keras.layers.SeparableConv2D)
PRODUCERS = (*CONVOLUTIONS, *TRANSPOSED, *SEPARABLE, keras.layers.Dense)
"""The layers that mix their input channels into new ones."""
KERNELS = ("kernel", "depthwise_kernel", "pointwise_kernel")

_Axes = dict[str, dict[int, Side]]  # variable -> axis -> side

_BIAS: _Axes = {"bias": {-1: "given"}}
_MIXING: _Axes = {"kernel": {-2: "taken", -1: "given"}, **_BIAS}
_TRANSPOSED: _Axes = {"kernel": {-1: "taken", -2: "given"}, **_BIAS}
_DEPTHWISE: _Axes = {"kernel": {-2: "through"}, **_BIAS}
_SEPARABLE: _Axes = {
    "depthwise_kernel": {-2: "taken"},
    "pointwise_kernel": {-2: "between", -1: "given"},
    **_BIAS,
}
_NORMALIZATION: _Axes = {name: {-1: "through"} for name in ("gamma", "beta", "moving_mean", "moving_variance")}

AXES: dict[type[keras.layers.Layer], _Axes] = {
    **dict.fromkeys((*CONVOLUTIONS, keras.layers.Dense), _MIXING),
    **dict.fromkeys(TRANSPOSED, _TRANSPOSED),
    **dict.fromkeys(DEPTHWISE, _DEPTHWISE),
    **dict.fromkeys(SEPARABLE, _SEPARABLE),
    keras.layers.BatchNormalization: _NORMALIZATION,
    keras.layers.PReLU: {"alpha": {-1: "through"}},
}
