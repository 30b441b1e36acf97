"""A generator as it is trained: against a discriminator, each with an optimizer of its own.

Noise is a pure function of the seed and the step, as batches are: a resumed training draws what the interrupted one
would have drawn.

Source: Goodfellow et al. 2014, algorithm 1. Both updates of a step are of the same generated images, which are made
once.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras
import tensorflow as tf

from tkit.tasks.generation import Generation
from tkit.training import divergence
from tkit.training.trainee import Trainee
from tkit_pipelines.seeds import derive

_HALF = 127.5  # of the pixels' range: 0-255 becomes -1 to 1


class AdversarialTrainee(Trainee):
    """A functional generator that shares all layers of its twin, and is trained against a discriminator.

    Args:
        twin: the generator's training twin; made, as this, within the scope of the distribution strategy.
        discriminator: the discriminator's training twin; not among this model's layers and weights.
        optimizer: the discriminator's.
        task: the losses.
        seed: of the noise.
    """

    def __init__(
        self,
        twin: keras.Model,
        discriminator: keras.Model,
        optimizer: keras.Optimizer,
        task: Generation,
        seed: int,
    ) -> None:
        super().__init__(twin, None)
        self._rival = _Rival(discriminator, optimizer)
        self._task = task
        self._seed = (seed, 0)
        names = ("loss", "discriminator_loss", "real_recognized", "generated_recognized")
        self._figures = {name: keras.metrics.Mean(name=name) for name in names}

    @property
    def metrics(self) -> list[keras.metrics.Metric]:
        """The generator's loss, the discriminator's, and the shares of images that the discriminator is right about."""
        return list(self._figures.values())

    @property
    def companion_variables(self) -> dict[str, Sequence[Any]]:
        """The discriminator's variables and its optimizer's."""
        rival = self._rival
        return {"discriminator": rival.model.variables, "discriminator_optimizer": rival.optimizer.variables}

    def create_variables(self) -> None:
        """Those of the discriminator's optimizer; the metrics have theirs."""
        self._rival.optimizer.build(self._rival.model.trainable_variables)
        self.reset_metrics()

    def leave(self, companion: keras.Model) -> None:
        """Sets the discriminator's weights in the stock model that it was made of."""
        companion.set_weights(self._rival.model.get_weights())

    def train_step(self, data: Any) -> Any:
        """One update of the discriminator and one of the generator."""
        pixels, targets, _ = keras.utils.unpack_x_y_sample_weight(data)
        images = tf.cast(pixels, tf.float32) / _HALF - 1.0
        noise = tf.random.stateless_normal([tf.shape(images)[0], self._task.latent], self._step_seed())
        labels = [] if targets is None else [tf.cast(targets[:, 0], tf.int32)]
        with tf.GradientTape() as tape:
            generated = tf.cast(self(_one_or_all([noise, *labels]), training=True), tf.float32)
            with tape.stop_recording():
                loss, real, fake = self._update_discriminator(images, tf.stop_gradient(generated), labels)
            scores = self._rival.scores(generated, labels)
            own = self._adversarial_loss(scores) + tf.add_n([tf.zeros(()), *self.losses])
            scaled = self.optimizer.scale_loss(own)
        variables = self.trainable_variables
        self.optimizer.apply(tape.gradient(scaled, variables), variables)
        recognized = tf.reduce_mean(tf.cast(real > 0, tf.float32)), tf.reduce_mean(tf.cast(fake < 0, tf.float32))
        for metric, value in zip(self._figures.values(), (own, loss, *recognized), strict=True):
            metric.update_state(value)
        logs = self.get_metrics_result()
        divergence.record(self.first_bad_step, {"own": own, "loss": loss}, self.optimizer.iterations)
        return logs

    def _step_seed(self) -> tf.Tensor:
        """Another one each step, on each device."""
        step = tf.convert_to_tensor(self.optimizer.iterations)
        replica = tf.distribute.get_replica_context().replica_id_in_sync_group
        return derive(tf.constant(self._seed, tf.int64), step, replica)

    def _update_discriminator(
        self, images: tf.Tensor, generated: tf.Tensor, labels: list[tf.Tensor]
    ) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
        """The loss, and the logits of real and of generated images, float32 [batch, 1]."""
        rival = self._rival
        with tf.GradientTape() as tape:
            # Apart, so that batch normalization sees one kind at a time (Radford et al. 2016).
            real, fake = rival.scores(images, labels), rival.scores(generated, labels)
            loss = self._discriminator_loss(real, fake) + tf.add_n([tf.zeros(()), *rival.model.losses])
            if self._task.r1:
                loss += self._task.r1 / 2 * rival.squared_gradient(images, labels)
            scaled = rival.optimizer.scale_loss(loss)
        variables = rival.model.trainable_variables
        rival.optimizer.apply(tape.gradient(scaled, variables), variables)
        return loss, real, fake

    def _discriminator_loss(self, real: tf.Tensor, fake: tf.Tensor) -> tf.Tensor:
        if self._task.adversary == "hinge":
            return tf.reduce_mean(tf.nn.relu(1.0 - real)) + tf.reduce_mean(tf.nn.relu(1.0 + fake))
        wanted = tf.fill(tf.shape(real), 1.0 - self._task.label_smoothing)
        of_real = tf.nn.sigmoid_cross_entropy_with_logits(wanted, real)
        return tf.reduce_mean(of_real) + tf.reduce_mean(tf.nn.softplus(fake))

    def _adversarial_loss(self, scores: tf.Tensor) -> tf.Tensor:
        return -tf.reduce_mean(scores) if self._task.adversary == "hinge" else tf.reduce_mean(tf.nn.softplus(-scores))


class _Rival:
    """The discriminator and its optimizer; not a layer, so that Keras doesn't track them as the generator's."""

    def __init__(self, model: keras.Model, optimizer: keras.Optimizer) -> None:
        self.model, self.optimizer = model, optimizer

    def scores(self, images: tf.Tensor, labels: list[tf.Tensor]) -> tf.Tensor:
        """Logits, float32 [batch, 1], above 0 for what is taken for real."""
        return tf.cast(self.model(_one_or_all([images, *labels]), training=True), tf.float32)

    def squared_gradient(self, images: tf.Tensor, labels: list[tf.Tensor]) -> tf.Tensor:
        """The mean squared norm of the logits' gradient by the images."""
        with tf.GradientTape() as tape:
            tape.watch(images)
            scores = self.scores(images, labels)
        gradient = tape.gradient(scores, images)
        return tf.reduce_mean(tf.reduce_sum(tf.square(gradient), axis=[1, 2, 3]))


def _one_or_all(tensors: list[tf.Tensor]) -> Any:
    return tensors[0] if len(tensors) == 1 else tensors
