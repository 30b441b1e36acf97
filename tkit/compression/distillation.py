"""Knowledge-distillation loss (Hinton et al. 2015): a trained model, the teacher, instead of the labels."""

from __future__ import annotations

from collections.abc import Sequence

import keras
import tensorflow as tf

from tkit import model_files
from tkit.compression.default_optimizer import default_optimizer
from tkit.compression.workbench import Workbench
from tkit.graph import of_size
from tkit.keras_internals import producer
from tkit.kernels.viewed import stock, view
from tkit.promises import State
from tkit.training.optimizers import Optimizer
from tkit.training.precision import choose
from tkit.training.twin import training_twin
from tkit_edge.errors import InputError
from tkit_edge.outputs.classes import Classes

SELF = "self"
"""Name of the teacher that is the original trained model, before all compression."""
RATE = 0.2
"""Peak learning rate of SGD, where that is the default optimizer."""


class Distillation:
    """The batch's mean of the weighted divergence from the teacher and cross-entropy of the labels, plus the features'
    loss.

    The divergence is Kullback and Leibler's between both softmaxes at a temperature (Hinton et al. 2015): 0 where the
    student's predictions equal the teacher's.

    Args:
        teacher: a run's folder, or `self`; it has the student's images and classes, and outputs logits.
        student: a classifier that gives logits.
        work: the student's settings.
        temperature: divides the logits of both.
        weight: the teacher's share of the loss.
        features: weight of the features' loss.

    Raises:
        InputError: teacher or student ends in a softmax, or they have other classes or images of different sizes.
    """

    def __init__(
        self,
        teacher: str,
        student: keras.Model,
        work: Workbench,
        *,
        temperature: float = 4.0,
        weight: float = 0.9,
        features: float = 0.0,
    ) -> None:
        output = work.contract.output
        if not isinstance(output, Classes) or output.saturated:
            ends = "ends in a softmax" if isinstance(output, Classes) else f"gives {output.line()}"
            raise InputError(f"Teacher and student must output logits; this model {ends}.")
        model = of_size(model_files.load(work.teacher(teacher)), work.contract.input.tensors)
        if model.inputs[0].shape != student.inputs[0].shape:
            sizes = [list(item.inputs[0].shape[1:]) for item in (model, student)]
            raise InputError(
                f"The teacher takes {work.contract.input.example}s of {sizes[0]}, the student of {sizes[1]}. A teacher "
                "needs the same size."
            )
        self.teacher = training_twin(model, choose(work.fit.precision, model).policy, 0.0)
        self.teacher.trainable = False
        self.temperature, self.weight, self.of_features = temperature, weight, features
        self.labels = work.contract.loss()
        self.features: tuple[str, ...] = (features_of(student),) if features else ()
        if features:
            tensor = self.teacher.get_layer(features_of(self.teacher)).output
            self.teacher = keras.Model(self.teacher.inputs, [*self.teacher.outputs, tensor])

    def __call__(
        self, inputs: tf.Tensor, targets: tf.Tensor, outputs: tf.Tensor, features: Sequence[tf.Tensor]
    ) -> tf.Tensor:
        """The loss of one batch; arguments as for `Objective`."""
        teacher_logits, *teacher_features = tf.nest.flatten(self.teacher(inputs, training=False))
        scaled = tf.cast(teacher_logits, tf.float32) / self.temperature
        teacher_log_probs = tf.stop_gradient(tf.nn.log_softmax(scaled))
        student_log_probs = tf.nn.log_softmax(tf.cast(outputs, tf.float32) / self.temperature)
        divergences = tf.reduce_sum(tf.exp(teacher_log_probs) * (teacher_log_probs - student_log_probs), axis=1)
        # T squared keeps the gradients' size when T changes.
        soft = tf.reduce_mean(divergences) * self.temperature**2
        loss = self.weight * soft + (1.0 - self.weight) * self.labels(targets, outputs)
        for own, wanted in zip(features, teacher_features, strict=True):
            difference = _similarity(own) - tf.stop_gradient(_similarity(wanted))
            loss += self.of_features * tf.reduce_mean(tf.reduce_sum(difference**2, axis=1))
        return loss


def distil(
    state: State,
    work: Workbench,
    *,
    teacher: str | None,
    temperature: float,
    weight: float,
    features: float,
    epochs: int,
    optimizer: Optimizer | None,
    as_run: bool,
) -> State:
    """The model, trained on by a teacher. Zeros stay zeros; shared and quantized weights would not stay so.

    Args:
        state: it isn't changed.
        work: training images and the engine.
        teacher: a run; None for the model as it was before all compression.
        temperature: as of `Distillation`, like `weight` and `features`.
        weight: the teacher's share of the loss.
        features: weight of the features' loss.
        epochs: of the training.
        optimizer: of the training; None for the default.
        as_run: whether training has the run's own optimizer, schedule and lookahead.

    Raises:
        InputError: clustered or quantized weights, a model that would learn from itself, or as `Distillation`.
    """
    if state.kept.clustered or state.kept.quantized:
        raise InputError(
            "distil: the weights are clustered or quantized already. Put distil before those steps, and give "
            "them a teacher of their own."
        )
    if teacher is None and not state.kept.pruned and not state.kept.shapes:
        raise InputError(
            "distil: the model can't learn from itself. Name another run with teacher=RUN, or put distil behind "
            "prune or channels."
        )
    masked = view(state.model, {name: [("masked", {})] for name in state.kept.pruned})
    objective = Distillation(
        teacher or SELF, state.model, work, temperature=temperature, weight=weight, features=features
    )
    chosen = None if as_run else work.optimizer(optimizer, lambda: default_optimizer(state.model, RATE))
    work.train(masked, epochs=epochs, optimizer=chosen, objective=objective, l2=work.fit.l2)
    return State(stock(masked), state.kept)


def features_of(model: keras.Model) -> str:
    """The layer that outputs the last weighted layer's input, before pooling, flattening and dropout."""
    last = [layer for layer in model.layers if layer.weights][-1]
    tensor = last.input
    while True:
        layer = producer(tensor)
        passes = (keras.layers.Flatten, keras.layers.Dropout, keras.layers.Reshape)
        pools = type(layer).__name__.startswith("Global")
        if not pools and not isinstance(layer, passes):
            return str(layer.name)
        tensor = layer.input


def _similarity(features: tf.Tensor) -> tf.Tensor:
    """Cosine similarities of the batch's images, float32 [batch, batch], each row of length 1 (Tung and Mori 2019)."""
    flat = tf.reshape(tf.cast(features, tf.float32), [tf.shape(features)[0], -1])
    return tf.math.l2_normalize(tf.matmul(flat, flat, transpose_b=True), axis=1)
