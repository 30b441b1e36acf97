"""Checks that a model is finite. NaN passes comparisons unnoticed, so it is checked before anything is compared."""

from __future__ import annotations

import keras
import numpy as np

from tkit.keras_internals import nodes
from tkit_edge.errors import InputError


def check_weights(model: keras.Model) -> None:
    """Raises InputError for a layer whose weights are not all finite, named."""
    for layer in model.layers:
        for variable in layer.weights:
            if not np.isfinite(variable.numpy()).all():
                raise InputError(
                    f"Layer {layer.name!r} has weights that are not finite ({variable.name}): the model's training "
                    "diverged, or its file is damaged. Take an earlier checkpoint, or train again with a smaller "
                    "learning rate."
                )


def check_outputs(model: keras.Model, images: np.ndarray, logits: np.ndarray) -> None:
    """Raises InputError where the model's outputs `logits` of `images` are not all finite, with the layer's name."""
    broken = np.flatnonzero(~np.isfinite(logits).all(axis=1))
    if not len(broken):
        return
    image = images[broken[:1]].astype(np.float32)
    for node in nodes(model):
        tensors = keras.Model(model.inputs, node.outputs)([image], training=False)
        if not all(np.isfinite(np.asarray(tensor)).all() for tensor in keras.tree.flatten(tensors)):
            raise InputError(
                f"Layer {node.operation.name!r} outputs values that are not finite, on {len(broken)} of {len(images)} "
                "images: the model can't be exported. Inspect that layer's weights and its inputs."
            )
    raise InputError(f"The model's outputs are not finite on {len(broken)} of {len(images)} images.")
