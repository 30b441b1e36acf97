"""The training twin as Keras trains it: with its loss, and a record of the first step that isn't finite."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from typing import Any, Protocol

import keras
import tensorflow as tf

from tkit.training import divergence


class Objective(Protocol):
    """A loss in place of the task's."""

    features: tuple[str, ...]
    """Layers whose outputs it sees."""

    def __call__(
        self, inputs: tf.Tensor, targets: tf.Tensor, outputs: tf.Tensor, features: Sequence[tf.Tensor]
    ) -> tf.Tensor:
        """The mean over the batch, from [batch, ...] inputs, targets as the task's loss takes them, and outputs."""


class Trainee(keras.Model):
    """A functional model that shares all layers of its twin, and trains for `objective` instead of the compiled loss.

    Validation's loss stays the compiled one.

    Args:
        twin: the training twin; made, as this, within the scope of the distribution strategy.
        objective: None for the compiled loss.
    """

    def __init__(self, twin: keras.Model, objective: Objective | None) -> None:
        super().__init__(twin.input, twin.output, name=twin.name)
        self.first_bad_step = divergence.watch()
        """The first step whose figures aren't finite; 0 while there is none."""
        self._objective = objective
        self._features = _Features(twin, objective.features if objective is not None else ())

    def call(self, inputs: Any, training: bool | None = None, mask: Any = None) -> Any:
        """The twin's outputs; the objective's features are kept for `compute_loss`."""
        if self._features.model is None:
            return super().call(inputs, training=training, mask=mask)
        outputs, *self._features.step.tensors = self._features.model(inputs, training=training)
        return outputs

    def compute_loss(
        self, x: Any = None, y: Any = None, y_pred: Any = None, sample_weight: Any = None, training: bool = True
    ) -> Any:
        """The objective's in training, with the layers' penalties."""
        loss = super().compute_loss(x, y, y_pred, sample_weight, training)
        if self._objective is None or not training:
            return loss
        return self._objective(x, y, y_pred, self._features.step.tensors) + tf.add_n([tf.zeros(()), *self.losses])

    @property
    def companion_variables(self) -> dict[str, Sequence[Any]]:
        """What is trained beside the model, by group: none."""
        return {}

    def create_variables(self) -> None:
        """Makes the variables of the loss and the metrics, which would else be made while a step is traced."""
        outputs = tf.zeros((1, *self.outputs[0].shape[1:]))
        self.compute_loss(y=outputs, y_pred=outputs, training=False)
        self.compute_metrics(None, outputs, outputs)
        self.reset_metrics()

    def leave(self, companion: keras.Model) -> None:
        """Sets the weights of what was trained beside the model: nothing."""

    def train_step(self, data: Any) -> Any:
        """Keras's own step, watched."""
        logs = super().train_step(data)
        divergence.record(self.first_bad_step, logs, self.optimizer.iterations)
        return logs


class _Step(threading.local):
    """What a step's `call` leaves to its `compute_loss`: each replica's step is traced in a thread of its own."""

    tensors: Sequence[tf.Tensor] = ()


class _Features:
    """A model with the outputs of some layers beside its own; not a layer, so that Keras doesn't track it."""

    def __init__(self, twin: keras.Model, names: Sequence[str]) -> None:
        tensors = [twin.get_layer(name).output for name in names]
        self.model = keras.Model(twin.inputs, [*twin.outputs, *tensors]) if tensors else None
        self.step = _Step()
