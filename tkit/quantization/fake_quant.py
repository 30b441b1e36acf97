"""Activations rounded to int8 codes in training, and the ranges that the codes span.

Source: Jacob et al. 2018, "Quantization and Training of Neural Networks for Efficient Integer-Arithmetic-Only
Inference", section 3.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

import keras
import numpy as np
import tensorflow as tf

from tkit.plan import Plan
from tkit.registered import registered

CODES = 255
"""Steps between the smallest and the largest int8 code."""


@registered
class FakeQuant(keras.layers.Layer):
    """Rounds float32 activations to the nearest of 256 values in a range; the gradient passes within the range.

    The converter reads the range from the graph, and converts the tensor to int8.

    Args:
        range_: the values of the codes -128 and 127.
        mode: "observed": nothing is rounded; "fixed": the range is constant; "moving": training moves it
            towards each batch's range, until `FreezeRanges` stops it.
        momentum: share of the moving range that is kept at each batch.
        site: the name of the range.
    """

    def __init__(
        self,
        range_: tuple[float, float] = (0.0, 1.0),
        mode: Literal["observed", "fixed", "moving"] = "fixed",
        momentum: float = 0.99,
        site: str = "",
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.initial, self.mode, self.momentum, self.site = range_, mode, momentum, site
        self.supports_masking = True

    def build(self, input_shape: Any) -> None:
        """Creates the range's variables."""
        self.low, self.high = (
            self.add_weight(
                name=name,
                shape=(),
                initializer=keras.initializers.Constant(value),
                trainable=False,
                autocast=False,
                aggregation="mean",
            )
            for name, value in zip(("low", "high"), self.initial, strict=True)
        )
        # 1 while training moves the range: a variable, so that a callback can stop it in a traced train function.
        self.moves = self.add_weight(name="moves", shape=(), initializer="zeros", trainable=False, autocast=False)

    def call(self, inputs: Any, training: bool | None = None) -> Any:
        """Any float shape in and out."""
        if self.mode == "observed":
            return inputs
        values = tf.cast(inputs, tf.float32)
        if training and self.mode == "moving":
            seen = tf.stop_gradient(values)
            self._move(self.low, tf.minimum(tf.reduce_min(seen), 0.0))
            self._move(self.high, tf.maximum(tf.reduce_max(seen), 0.0))
        low, high = tf.convert_to_tensor(self.low), tf.convert_to_tensor(self.high)
        round_ = _straight_through if training else tf.quantization.fake_quant_with_min_max_vars
        return tf.cast(round_(values, low, high), self.compute_dtype)

    def _move(self, bound: Any, seen: tf.Tensor) -> None:
        now = tf.convert_to_tensor(bound)
        bound.assign(now + tf.convert_to_tensor(self.moves) * (1.0 - self.momentum) * (seen - now))

    def compute_output_shape(self, input_shape: Any) -> Any:
        """The input's."""
        return input_shape

    def get_config(self) -> dict[str, Any]:
        """The arguments."""
        own = {"range_": self.initial, "mode": self.mode, "momentum": self.momentum, "site": self.site}
        return {**super().get_config(), **own}


@registered
class StaysFloat(keras.layers.Layer):
    """The identity, after a layer that computes in float: without it the converter would convert that layer to int8
    too.

    Two casts, to float64 and back, which are lossless and have no int8 form in the converter.
    """

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.supports_masking = True

    def call(self, inputs: Any, training: bool | None = None) -> Any:
        """Any float shape in and out."""
        return inputs if training else tf.cast(tf.cast(inputs, tf.float64), self.compute_dtype)

    def compute_output_shape(self, input_shape: Any) -> Any:
        """The input's."""
        return input_shape


@tf.custom_gradient
def _straight_through(values: tf.Tensor, low: tf.Tensor, high: tf.Tensor) -> Any:
    """The operator's own gradient also sums one for the range, which costs time and isn't deterministic on GPUs."""

    def gradient(upstream: tf.Tensor) -> tuple[tf.Tensor, None, None]:
        inside = tf.logical_and(values >= low, values <= high)
        return tf.where(inside, upstream, tf.zeros_like(upstream)), None, None

    return tf.quantization.fake_quant_with_min_max_vars(values, low, high), gradient


class FreezeRanges(Plan):
    """Ranges move until a given step of training, then are frozen.

    Args:
        quantizers: the layers whose ranges they are.
        until: the step.
    """

    def __init__(self, quantizers: Sequence[FakeQuant], until: int) -> None:
        self.quantizers, self.until = quantizers, until
        self._moves: float | None = None

    def before(self, step: int) -> None:
        """Starts and stops the ranges."""
        moves = float(step < self.until)
        if moves != self._moves:
            for layer in self.quantizers:
                layer.moves.assign(moves)
            self._moves = moves


def nudged(low: float, high: float) -> tuple[float, float]:
    """The range nearest to `low` to `high` that has 0 among its 256 values; float32 numbers."""
    low, high = min(low, 0.0), max(high, 0.0)
    scale = np.float32((high - low) / CODES) if high > low else np.float32(1.0 / CODES)
    below = np.float32(np.clip(np.round(-low / scale), 0, CODES))
    return float(-below * scale), float((CODES - below) * scale)
