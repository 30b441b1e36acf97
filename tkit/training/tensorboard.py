"""What TensorBoard shows of a run.

Figures, learning rate, a batch as the model sees it, what is predicted at the end, weights and graph;
`tkit.results_log` adds the final figures.
"""

from __future__ import annotations

from pathlib import Path

import keras
import numpy as np
import tensorflow as tf

from tkit.contract import Contract
from tkit_edge.inputs.text import Text
from tkit_pipelines.batches import Batches
from tkit_pipelines.dataset import Examples

IMAGES = 32
PREDICTED_AT_ONCE = 256
HISTOGRAMS = 10  # times over a run that the weights' histograms are written, whatever the number of epochs


class TensorBoardLog(keras.callbacks.Callback):
    """Writes `logs/train` and `logs/validation`.

    Args:
        folder: the run's `logs` folder.
        batches: training batches; the first is shown as the model sees it.
        validation: the validation examples, for a plot of what is predicted for them.
        contract: the run's.
    """

    def __init__(self, folder: Path, batches: Batches, validation: Examples, contract: Contract) -> None:
        super().__init__()
        self.batches, self.validation, self.contract = batches, validation, contract
        self.evaluation = contract.evaluation()
        self.train = tf.summary.create_file_writer(str(folder / "train"))
        self.held_out = tf.summary.create_file_writer(str(folder / "validation"))
        self.epoch = 0

    def on_train_begin(self, logs: dict | None = None) -> None:
        """The graph and a batch."""
        inputs, *targets = self.batches.batch(0, 0)[:2]
        with self.train.as_default(step=0):
            tf.summary.graph(self._graph())
            if "image" in (self.contract.input.kind, self.contract.output.kind):
                tf.summary.image("batch as the model sees it", inputs[:IMAGES], max_outputs=IMAGES)
            if isinstance(self.contract.input, Text):
                shown = [" ".join(self.contract.input.tokens(ids)) for ids in inputs[:IMAGES].numpy()]
                tf.summary.text("batch as the model sees it", shown)
            if targets:
                names = self.evaluation.named(targets[0][:IMAGES].numpy())
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
        """What the weights that are kept predict on validation data, such as the confusion matrix."""
        taken, (given,) = self.contract.input.tensors, self.contract.output.tensors
        found = []
        for start in range(0, len(self.validation), PREDICTED_AT_ONCE):
            rows = slice(start, start + PREDICTED_AT_ONCE)
            inputs = [self.validation.columns[spec.name][rows] for spec in taken]
            found.append(self.model.predict_on_batch(inputs[0] if len(inputs) == 1 else inputs))
        outputs = np.concatenate(found)
        targets = self.validation.arrays([spec.name for spec in self.contract.output.targets])
        name, plot = self.evaluation.plot({given.name: outputs.reshape(len(outputs), *given.shape)}, targets)
        with self.held_out.as_default(step=self.epoch + 1):
            tf.summary.image(name, tf.io.decode_png(plot, channels=3)[None])
        self.train.close()
        self.held_out.close()

    def _graph(self) -> tf.compat.v1.GraphDef:
        specs = [tf.TensorSpec((None, *tensor.shape[1:]), tensor.dtype) for tensor in self.model.inputs]
        spec = specs[0] if len(specs) == 1 else specs
        return tf.function(lambda inputs: self.model(inputs, training=False)).get_concrete_function(spec).graph
