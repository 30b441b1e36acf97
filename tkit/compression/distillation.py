"""Knowledge-distillation loss (Hinton et al. 2015): a trained model, the teacher, instead of the labels."""

from __future__ import annotations

from collections.abc import Sequence

import keras
import tensorflow as tf

from tkit import model_files
from tkit.compression.workbench import Workbench
from tkit.keras_internals import producer
from tkit.training.precision import choose
from tkit.training.twin import training_twin
from tkit_edge.errors import InputError

SELF = "self"
"""Name of the teacher that is the original trained model, before all compression."""


class Distillation:
    """The batch's mean of the weighted divergence from the teacher and cross-entropy of the labels, plus the features'
    loss.

    The divergence is Kullback and Leibler's between both softmaxes at a temperature (Hinton et al. 2015): 0 where the
    student's predictions equal the teacher's.

    Args:
        teacher: a run's folder, or `self`; it has the student's images and classes, and outputs logits.
        student: float32 pixels [batch, height, width, channels] to logits [batch, classes].
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
        if work.probabilities:
            raise InputError("Teacher and student must output logits; this model ends in a softmax.")
        model = model_files.load(work.teacher(teacher))
        if model.inputs[0].shape != student.inputs[0].shape:
            raise InputError(
                f"The teacher takes images of {list(model.inputs[0].shape[1:])}, the student of "
                f"{list(student.inputs[0].shape[1:])}. A teacher needs the same size."
            )
        self.teacher = training_twin(model, choose(work.fit.precision, model).policy, 0.0)
        self.teacher.trainable = False
        self.temperature, self.weight, self.of_features = temperature, weight, features
        self.labels = keras.losses.CategoricalCrossentropy(from_logits=True, label_smoothing=work.fit.label_smoothing)
        self.features: tuple[str, ...] = (features_of(student),) if features else ()
        if features:
            tensor = self.teacher.get_layer(features_of(self.teacher)).output
            self.teacher = keras.Model(self.teacher.inputs, [*self.teacher.outputs, tensor])

    def __call__(
        self, images: tf.Tensor, labels: tf.Tensor, outputs: tf.Tensor, features: Sequence[tf.Tensor]
    ) -> tf.Tensor:
        """The loss of one batch; arguments as for `Objective`."""
        teacher_logits, *teacher_features = tf.nest.flatten(self.teacher(images, training=False))
        scaled = tf.cast(teacher_logits, tf.float32) / self.temperature
        teacher_log_probs = tf.stop_gradient(tf.nn.log_softmax(scaled))
        student_log_probs = tf.nn.log_softmax(tf.cast(outputs, tf.float32) / self.temperature)
        divergences = tf.reduce_sum(tf.exp(teacher_log_probs) * (teacher_log_probs - student_log_probs), axis=1)
        # T squared keeps the gradients' size when T changes.
        soft = tf.reduce_mean(divergences) * self.temperature**2
        loss = self.weight * soft + (1.0 - self.weight) * self.labels(labels, outputs)
        for own, wanted in zip(features, teacher_features, strict=True):
            difference = _similarity(own) - tf.stop_gradient(_similarity(wanted))
            loss += self.of_features * tf.reduce_mean(tf.reduce_sum(difference**2, axis=1))
        return loss


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
