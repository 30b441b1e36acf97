"""What a teacher, a trained model, says of each picture, as a loss for another model's training."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import keras
import tensorflow as tf

from tkit import model_files
from tkit.compress._work import Work
from tkit.fit.precision import choose
from tkit.fit.twin import training_twin
from tkit.run import Run
from tkit_edge.errors import InputError

SELF = "self"
"""The teacher that is the model as it was trained, before all compression."""


class Lesson:
    """The batch's mean divergence from the teacher and cross-entropy of the labels, weighted, and the features' loss.

    The divergence is Kullback and Leibler's of both softmaxes at a temperature (Hinton et al. 2015): 0 where the
    student says what the teacher says.

    Args:
        teacher: a run's folder, or `self`; it takes the student's pictures and tells its classes apart, in logits.
        student: float32 pixels [batch, height, width, channels] to logits [batch, classes].
        work: the student's settings.
        temperature: divides both logits.
        weight: the teacher's share of the loss.
        features: weight of the features' loss.

    Raises:
        InputError: teacher or student ends in a softmax, or they have other classes or pictures of different sizes.
    """

    def __init__(
        self,
        teacher: str,
        student: keras.Model,
        work: Work,
        *,
        temperature: float = 4.0,
        weight: float = 0.9,
        features: float = 0.0,
    ) -> None:
        if work.probabilities:
            raise InputError("Teacher and student must give logits; this model ends in a softmax.")
        model = model_files.load(_folder(teacher, work))
        if model.inputs[0].shape != student.inputs[0].shape:
            raise InputError(
                f"The teacher takes pictures of {list(model.inputs[0].shape[1:])}, the student of "
                f"{list(student.inputs[0].shape[1:])}. A teacher needs the same size."
            )
        self.teacher = training_twin(model, choose(work.recipe.fit.precision, model).policy, 0.0)
        self.teacher.trainable = False
        self.temperature, self.weight, self.of_features = temperature, weight, features
        self.labels = keras.losses.CategoricalCrossentropy(
            from_logits=True, label_smoothing=work.recipe.fit.label_smoothing
        )
        self.features: tuple[str, ...] = (features_of(student),) if features else ()
        if features:
            tensor = self.teacher.get_layer(features_of(self.teacher)).output
            self.teacher = keras.Model(self.teacher.inputs, [*self.teacher.outputs, tensor])

    def __call__(
        self, pictures: tf.Tensor, labels: tf.Tensor, outputs: tf.Tensor, features: Sequence[tf.Tensor]
    ) -> tf.Tensor:
        taught, *shown = tf.nest.flatten(self.teacher(pictures, training=False))
        said = tf.stop_gradient(tf.nn.log_softmax(tf.cast(taught, tf.float32) / self.temperature))
        heard = tf.nn.log_softmax(tf.cast(outputs, tf.float32) / self.temperature)
        # T squared keeps the gradients' size when T changes.
        soft = tf.reduce_mean(tf.reduce_sum(tf.exp(said) * (said - heard), axis=1)) * self.temperature**2
        loss = self.weight * soft + (1.0 - self.weight) * self.labels(labels, outputs)
        for own, wanted in zip(features, shown, strict=True):
            apart = _likeness(own) - tf.stop_gradient(_likeness(wanted))
            loss += self.of_features * tf.reduce_mean(tf.reduce_sum(apart**2, axis=1))
        return loss


def features_of(model: keras.Model) -> str:
    """The layer that gives what the last layer with weights gets, before pooling, flattening and dropout."""
    last = [layer for layer in model.layers if layer.weights][-1]
    tensor = last.input
    while True:
        layer = tensor._keras_history.operation
        passes = (keras.layers.Flatten, keras.layers.Dropout, keras.layers.Reshape)
        pools = type(layer).__name__.startswith("Global")
        if not pools and not isinstance(layer, passes):
            return str(layer.name)
        tensor = layer.input


def _likeness(features: tf.Tensor) -> tf.Tensor:
    """How alike the batch's pictures are, float32 [batch, batch], each row of length 1."""
    flat = tf.reshape(tf.cast(features, tf.float32), [tf.shape(features)[0], -1])
    return tf.math.l2_normalize(tf.matmul(flat, flat, transpose_b=True), axis=1)


def _folder(teacher: str, work: Work) -> Path:
    """Where the teacher's model lies."""
    if teacher == SELF:
        assert work.trained is not None
        return work.trained
    run = Run.open(teacher)
    if run.class_names != tuple(work.splits.class_names):
        raise InputError(
            f"{teacher} tells {len(run.class_names)} classes apart ({', '.join(run.class_names[:3])} ...), the student "
            "other ones. A teacher needs the same classes in the same order."
        )
    if run.output == "probabilities":
        raise InputError(f"Teacher and student must give logits; {teacher} ends in a softmax.")
    return run.model_folder("float")
