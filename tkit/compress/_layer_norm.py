"""Layer normalization in the operators that the runtime has, each of whose results is an int8 tensor.

Source: Ba et al. 2016, "Layer normalization"; gain and offset are folded away before.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras
from keras import layers, ops

PARTS = ("mean", "centred", "square", "variance", "shifted", "inverse")
"""The tensors on the way."""


class FeatureMean(layers.Layer):
    """The mean over the last axis, which stays: [..., features] to [..., 1]."""

    def call(self, inputs: Any) -> Any:
        """Any float shape."""
        return ops.mean(inputs, -1, keepdims=True)


class InverseRoot(layers.Layer):
    """One over the square root.

    What is rounded to 0 has the largest code on the device. Training takes it for the least that it was before
    rounding: infinity would spoil gradients and moving ranges.

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


def normalized(
    tensor: keras.KerasTensor, epsilon: float, sites: tuple[str, ...], rounded: Callable[[Any, str], Any]
) -> keras.KerasTensor:
    """[..., features] normalized to mean 0 and variance 1 over the features.

    Args:
        tensor: what is normalized.
        epsilon: added to the variance.
        sites: names of the parts' tensors, and of the result's.
        rounded: rounds a tensor to the codes of a name's range.
    """
    mean, centred, square, variance, shifted, inverse, output = sites
    middle = rounded(layers.Subtract(name=centred)([tensor, rounded(FeatureMean(name=mean)(tensor), mean)]), centred)
    squared = rounded(layers.Multiply(name=square)([middle, middle]), square)
    spread = rounded(FeatureMean(name=variance)(squared), variance)
    raised = rounded(layers.Rescaling(1.0, epsilon, name=shifted)(spread), shifted)
    root = rounded(InverseRoot(epsilon, name=inverse)(raised), inverse)
    return rounded(layers.Multiply(name=output)([middle, root]), output)
