"""One batch of random 32x32x3 images of ten classes over and over, instead of `tkit_pipelines.batches.Batches`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import tensorflow as tf

    from tkit.contract import Contract


def originals(batch_size: int) -> tuple[np.ndarray, np.ndarray]:
    """uint8 [batch_size, 32, 32, 3] and int64 labels of ten classes."""
    random = np.random.default_rng(0)
    return random.integers(0, 256, (batch_size, 32, 32, 3), dtype=np.uint8), random.integers(0, 10, batch_size)


def contract() -> Contract:
    """What a model of these images learns."""
    from tkit.contract import Contract
    from tkit.tasks.classification import Classification
    from tkit_edge.inputs.image import Image
    from tkit_edge.outputs.classes import Classes

    return Contract(Classification(), Image(32, 32, 3), Classes(tuple("0123456789")))


class Constant:
    """What the engine needs of training batches."""

    def __init__(self, batch_size: int, steps_per_epoch: int) -> None:
        self.batch_size, self.steps_per_epoch = batch_size, steps_per_epoch

    def dataset(self, epoch: int = 0, step: int = 0) -> tf.data.Dataset:
        """The batch, without end."""
        import tensorflow as tf

        images, labels = originals(self.batch_size)
        return tf.data.Dataset.from_tensors((images, np.eye(10, dtype=np.float32)[labels])).repeat()
