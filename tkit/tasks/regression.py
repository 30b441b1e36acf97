"""Regression: a number."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Literal

import numpy as np

from tkit.tasks import Task
from tkit_edge.errors import InputError
from tkit_edge.outputs import Output
from tkit_edge.outputs.number import Number

if TYPE_CHECKING:
    import keras
    import tensorflow as tf

    from tkit.evaluation.number import NumberEvaluation
    from tkit.ruler import Ruler
    from tkit_pipelines.splits import Splits


class Regression(Task):
    """Predicts a number; trained with the squared error, as a share of the targets' variance."""

    gives = "number"
    targets = ("number",)
    kind: Literal["regression"] = "regression"
    unit: str = ""
    """What the number counts, for people: "years"."""

    def output(self, splits: Splits) -> Number:
        """The number itself, in the data's unit."""
        if not self.spread(splits):
            raise InputError(
                f"data {splits.name!r}: all training numbers are {splits.train.columns['number'][0]:g}: there is "
                "nothing to learn."
            )
        return Number(self.unit)

    def spread(self, splits: Splits) -> float:
        """The standard deviation of the training numbers."""
        return float(np.std(splits.train.columns["number"].astype(np.float64)))

    def encoded(self, columns: Mapping[str, tf.Tensor], output: Output) -> tf.Tensor:
        """The numbers, float32 [batch, 1]."""
        return columns["number"][:, None]

    def loss(self, output: Output, spread: float) -> keras.losses.Loss:
        """The squared error in units of the targets' variance, so that learning rates don't depend on the unit."""
        import keras

        class SquaredError(keras.losses.Loss):
            def call(self, y_true: keras.KerasTensor, y_pred: keras.KerasTensor) -> keras.KerasTensor:
                return keras.ops.mean(keras.ops.square((y_pred - y_true) / spread), axis=-1)

        return SquaredError()

    def metrics(self) -> list[keras.metrics.Metric]:
        """The mean absolute error."""
        import keras

        return [keras.metrics.MeanAbsoluteError(name="mean_absolute_error")]

    def evaluation(self, output: Output, ruler: Ruler | None = None) -> NumberEvaluation:
        """Errors, and the share of the variance that is explained."""
        from tkit.evaluation.number import NumberEvaluation

        assert isinstance(output, Number)
        return NumberEvaluation(output)
