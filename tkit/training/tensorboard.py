"""What TensorBoard shows of a run.

Figures, learning rate, a batch as the model sees it, confusion matrix, weights and graph;
`tkit.results_log` adds the final figures.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf

from tkit.evaluation.plots import confusion_png
from tkit_pipelines.batches import Batches

IMAGES = 32
PREDICTED_AT_ONCE = 256
HISTOGRAMS = 10  # times over a run that the weights' histograms are written, whatever the number of epochs


class TensorBoardLog(keras.callbacks.Callback):
    """Writes `logs/train` and `logs/validation`.

    Args:
        folder: the run's `logs` folder.
        batches: training batches; the first is shown as the model sees it.
        validation: uint8 images [n, height, width, channels] and int32 labels [n], for the confusion matrix.
        class_names: the classes in label order.
    """

    def __init__(
        self,
        folder: Path,
        batches: Batches,
        validation: tuple[np.ndarray, np.ndarray],
        class_names: Sequence[str],
    ) -> None:
        super().__init__()
        self.batches, self.validation, self.class_names = batches, validation, class_names
        self.train = tf.summary.create_file_writer(str(folder / "train"))
        self.held_out = tf.summary.create_file_writer(str(folder / "validation"))
        self.epoch = 0

    def on_train_begin(self, logs: dict | None = None) -> None:
        """The graph and a batch."""
        images, labels = self.batches.batch(0, 0)[:2]
        with self.train.as_default(step=0):
            tf.summary.graph(self._graph())
            tf.summary.image("batch as the model sees it", images[:IMAGES], max_outputs=IMAGES)
            names = [self.class_names[index] for index in np.argmax(labels[:IMAGES], axis=1)]
            tf.summary.text("batch as the model sees it, labels", ", ".join(names))

    def on_epoch_begin(self, epoch: int, logs: dict | None = None) -> None:
        """Notes the epoch."""
        self.epoch = epoch

    def on_train_batch_end(self, batch: int, logs: dict | None = None) -> None:
        """Running figures and the learning rate, once a call into TensorFlow."""
        step = self.epoch * self.params["steps"] + batch + 1
        with self.train.as_default(step=step):
            for name, value in (logs or {}).items():
                tf.summary.scalar(f"step/{name}", value)
            tf.summary.scalar("step/learning_rate", self.model.optimizer.learning_rate)

    def on_epoch_end(self, epoch: int, logs: dict | None = None) -> None:
        """The epoch's figures, training and validation under one name, and the weights' histograms."""
        for name, value in (logs or {}).items():
            writer = self.held_out if name.startswith("val_") else self.train
            with writer.as_default(step=epoch + 1):
                tf.summary.scalar(f"epoch/{name.removeprefix('val_')}", value)
        every = max(1, self.params["epochs"] // HISTOGRAMS)
        if epoch % every == 0 or epoch == self.params["epochs"] - 1:
            with self.train.as_default(step=epoch + 1):
                for variable in self.model.trainable_variables:
                    tf.summary.histogram(f"weights/{variable.path}", variable.value)

    def on_train_end(self, logs: dict | None = None) -> None:
        """The confusion matrix of the weights that are kept."""
        images, labels = self.validation
        parts = [images[start : start + PREDICTED_AT_ONCE] for start in range(0, len(labels), PREDICTED_AT_ONCE)]
        logits = np.concatenate([self.model.predict_on_batch(part) for part in parts])
        matrix = np.zeros((len(self.class_names),) * 2, np.int64)
        np.add.at(matrix, (labels, logits.argmax(axis=1)), 1)
        with self.held_out.as_default(step=self.epoch + 1):
            image = tf.io.decode_png(confusion_png(matrix, self.class_names, "validation"), channels=3)
            tf.summary.image("confusion matrix", image[None])
        self.train.close()
        self.held_out.close()

    def _graph(self) -> tf.compat.v1.GraphDef:
        spec = tf.TensorSpec((None, *self.model.inputs[0].shape[1:]), tf.float32)
        return tf.function(lambda image: self.model(image, training=False)).get_concrete_function(spec).graph
