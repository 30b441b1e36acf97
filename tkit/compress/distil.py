"""Distillation: the model learns what a larger one, its teacher, says of each picture.

Source: Hinton et al. 2015, "Distilling the knowledge in a neural network". The teacher sees the very same augmented
pictures (Beyer et al. 2022, "Knowledge distillation: a good teacher is patient and consistent"). Features: Tung and
Mori 2019, "Similarity-preserving knowledge distillation", which needs no layers of its own between two widths.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field

from tkit.compress import State, Step
from tkit.fit.optimizers import Optimizer
from tkit.fit.optimizers.sgd import SGD
from tkit_edge.errors import InputError
from tkit_pipelines.config import OneOf

if TYPE_CHECKING:
    import keras
    import tensorflow as tf

    from tkit.compress._work import Work


_LOGITS = "distil: teacher and student must give logits; one of them ends in a softmax."


class Distil(Step):
    """Trains on with the logits of a teacher, and with its features.

    A teacher is another run on the same classes, or the model itself as it was before it was pruned or narrowed.
    """

    kind: Literal["distil"] = "distil"
    teacher: str | None = None
    """The teacher's run folder; null: the model as it was trained, before it was compressed."""
    temperature: float = Field(4.0, gt=0)
    """Divides both logits: the higher, the more the unlikely classes tell."""
    weight: float = Field(0.9, gt=0, le=1)
    """The teacher's share of the loss; the labels have the rest."""
    features: float = Field(0.0, ge=0)
    """Weight of the features' loss: pictures that are alike to the teacher are to be alike to the student. The features
    are what the last layer with weights gets, before it is pooled; the paper's weight is about 20."""
    epochs: int = Field(20, ge=1)
    """Passes over the training split."""
    optimizer: Annotated[Optimizer, OneOf("tkit.fit.optimizers")] | None = SGD(learning_rate=0.2)
    """Of the training; null: the run's own, with its schedule and lookahead, which suits a long training."""

    @property
    def label(self) -> str:
        """`distil`."""
        return "distil"

    def apply(self, state: State, work: Work) -> State:
        """Zeros stay zeros; shared and quantized weights would not stay so."""
        from tkit.compress import _kernels

        if state.kept.clustered or state.kept.quantized:
            raise InputError("distil: the weights are clustered or quantized already. Put distil before those steps.")
        if self.teacher is None and not state.kept.pruned and not state.kept.shapes:
            raise InputError(
                "distil: the model can't learn from itself. Name another run with teacher=RUN, or put distil behind "
                "prune or channels."
            )
        teacher = self._teacher(state.model, work)
        masked = _kernels.view(state.model, {name: [("masked", {})] for name in state.kept.pruned})
        objective = _Objective(teacher, self, work.recipe.fit.label_smoothing, _features(state.model))
        work.train(
            masked,
            epochs=self.epochs,
            optimizer=self.optimizer,
            objective=objective,
            l2=work.recipe.fit.l2,
        )
        return State(_kernels.stock(masked), state.kept)

    def _teacher(self, student: keras.Model, work: Work) -> keras.Model:
        from tkit import model_files
        from tkit.fit.precision import choose
        from tkit.fit.twin import training_twin

        folder = self._folder(work)
        model = model_files.load(folder)
        if model.inputs[0].shape != student.inputs[0].shape:
            raise InputError(
                f"distil: {self.teacher} takes pictures of {list(model.inputs[0].shape[1:])}, the student of "
                f"{list(student.inputs[0].shape[1:])}. A teacher needs the same size."
            )
        teacher = training_twin(model, choose(work.recipe.fit.precision, model).policy, 0.0)
        teacher.trainable = False
        return teacher

    def _folder(self, work: Work) -> Path:
        """Where the teacher's model lies, of a run that can teach this one."""
        from tkit.run import Run

        if work.probabilities:
            raise InputError(_LOGITS)
        if self.teacher is None:
            assert work.trained is not None
            return work.trained
        run = Run.open(self.teacher)
        if run.class_names != tuple(work.splits.class_names):
            raise InputError(
                f"distil: {self.teacher} tells {len(run.class_names)} classes apart ({', '.join(run.class_names[:3])} "
                f"...), the student other ones. A teacher needs the same classes in the same order."
            )
        if run.output == "probabilities":
            raise InputError(_LOGITS)
        return run.model_folder("float")


class _Objective:
    """The mean over the batch of the teacher's and the labels' cross-entropies, weighted, and the features' loss."""

    def __init__(self, teacher: keras.Model, step: Distil, label_smoothing: float, student_features: str) -> None:
        import keras

        self.teacher, self.step = teacher, step
        self.labels = keras.losses.CategoricalCrossentropy(from_logits=True, label_smoothing=label_smoothing)
        self.features: tuple[str, ...] = (student_features,) if step.features else ()
        if step.features:
            tensor = teacher.get_layer(_features(teacher)).output
            self.teacher = keras.Model(teacher.inputs, [*teacher.outputs, tensor])

    def __call__(
        self, pictures: tf.Tensor, labels: tf.Tensor, outputs: tf.Tensor, features: Sequence[tf.Tensor]
    ) -> tf.Tensor:
        import tensorflow as tf

        taught, *shown = tf.nest.flatten(self.teacher(pictures, training=False))
        temperature, weight = self.step.temperature, self.step.weight
        said = tf.nn.softmax(tf.cast(taught, tf.float32) / temperature)
        heard = tf.nn.log_softmax(tf.cast(outputs, tf.float32) / temperature)
        # T squared keeps the gradients' size when T changes.
        soft = -tf.reduce_mean(tf.reduce_sum(tf.stop_gradient(said) * heard, axis=1)) * temperature**2
        loss = weight * soft + (1.0 - weight) * self.labels(labels, outputs)
        for own, wanted in zip(features, shown, strict=True):
            apart = _likeness(own) - tf.stop_gradient(_likeness(wanted))
            loss += self.step.features * tf.reduce_mean(tf.reduce_sum(apart**2, axis=1))
        return loss


def _likeness(features: tf.Tensor) -> tf.Tensor:
    """How alike the batch's pictures are, float32 [batch, batch], each row of length 1."""
    import tensorflow as tf

    flat = tf.reshape(tf.cast(features, tf.float32), [tf.shape(features)[0], -1])
    return tf.math.l2_normalize(tf.matmul(flat, flat, transpose_b=True), axis=1)


def _features(model: keras.Model) -> str:
    """The layer that gives what the last layer with weights gets, before pooling, flattening and dropout."""
    import keras

    last = [layer for layer in model.layers if layer.weights][-1]
    tensor = last.input
    while True:
        layer = tensor._keras_history.operation
        passes = (keras.layers.Flatten, keras.layers.Dropout, keras.layers.Reshape)
        pools = type(layer).__name__.startswith("Global")
        if not pools and not isinstance(layer, passes):
            return str(layer.name)
        tensor = layer.input
