"""Classification: one of several classes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Literal

from pydantic import Field

from tkit.tasks import Task
from tkit_edge.outputs import Output
from tkit_edge.outputs.classes import Classes

if TYPE_CHECKING:
    import keras
    import tensorflow as tf

    from tkit.evaluation.classes import ClassesEvaluation
    from tkit.ruler import Ruler
    from tkit_pipelines.splits import Splits


class Classification(Task):
    """Tells classes apart; trained with cross-entropy."""

    gives = "classes"
    targets = ("label",)
    kind: Literal["classification"] = "classification"
    label_smoothing: float = Field(0.0, ge=0, lt=1)
    """Share of each label's weight that is spread over all classes."""

    def output(self, splits: Splits) -> Classes:
        """Logits, in the order of the data's classes."""
        return Classes(splits.class_names)

    def encoded(self, columns: Mapping[str, tf.Tensor], output: Output) -> tf.Tensor:
        """One-hot labels, float32 [batch, classes]."""
        import tensorflow as tf

        (scores,) = output.tensors
        return tf.one_hot(columns["label"], scores.shape[0])

    def loss(self, output: Output, spread: float) -> keras.losses.Loss:
        """Cross-entropy, with label smoothing."""
        import keras

        assert isinstance(output, Classes)
        return keras.losses.CategoricalCrossentropy(
            from_logits=output.form == "logits", label_smoothing=self.label_smoothing
        )

    def metrics(self) -> list[keras.metrics.Metric]:
        """Accuracy."""
        import keras

        return [keras.metrics.CategoricalAccuracy(name="accuracy")]

    def evaluation(self, output: Output, ruler: Ruler | None = None) -> ClassesEvaluation:
        """Accuracy, metrics per class, confusion and calibration."""
        from tkit.evaluation.classes import ClassesEvaluation

        assert isinstance(output, Classes)
        return ClassesEvaluation(output)
