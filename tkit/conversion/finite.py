"""Checks that a model is finite. NaN passes comparisons unnoticed, so it is checked before anything is compared."""

from __future__ import annotations

import keras
import numpy as np

from tkit.arrays import fed, part
from tkit.keras_internals import nodes
from tkit_edge.errors import InputError
from tkit_edge.tensors import Arrays


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


def check_outputs(model: keras.Model, arrays: Arrays, outputs: Arrays) -> None:
    """Raises InputError where the model's outputs for `arrays` are not all finite, with the layer's name."""
    finite = [np.isfinite(values.reshape(len(values), -1)).all(axis=1) for values in outputs.values()]
    whole = np.all(finite, axis=0)
    broken, images = np.flatnonzero(~whole), len(whole)
    if not len(broken):
        return
    example = fed(model, part(arrays, broken[:1]))
    for node in nodes(model):
        tensors = keras.Model(model.inputs, node.outputs)(example, training=False)
        if not all(np.isfinite(np.asarray(tensor)).all() for tensor in keras.tree.flatten(tensors)):
            raise InputError(
                f"Layer {node.operation.name!r} outputs values that are not finite, on {len(broken)} of {images} "
                "examples: the model can't be exported. Inspect that layer's weights and its inputs."
            )
    raise InputError(f"The model's outputs are not finite on {len(broken)} of {images} examples.")
