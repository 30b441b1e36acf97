"""Checks a user's own model before it is trained, and flattens its graph."""

from __future__ import annotations

import keras

from tkit.keras_files.graph import activation_of, flat, float32
from tkit.model_classes import is_operation
from tkit.models import Spec
from tkit_edge.errors import InputError

_FUNCTIONAL = ("Functional", "Sequential")


def plain(model: object, name: str, spec: Spec) -> keras.Model:
    """The model that a user's `build` returned: flat, float32, of stock Keras layers.

    Args:
        model: what `build` returned; nested models are flattened.
        name: its name in messages, such as "mine.build()".
        spec: what `build` was given.

    Raises:
        InputError: no functional model, another input or output, probabilities instead of logits, or a layer that
            isn't Keras's own.
    """
    if not isinstance(model, keras.Model) or type(model).__name__ not in _FUNCTIONAL:
        raise InputError(
            f"{name} returned a {type(model).__name__}, expected a functional model: keras.Model(inputs, outputs)."
        )
    inputs, outputs = [tuple(item.shape) for item in model.inputs], [tuple(item.shape) for item in model.outputs]
    wanted, expected = (
        [(None, *item.shape) for item in spec.inputs],
        [(None, *(item.shape or (1,))) for item in spec.outputs],
    )
    if inputs != wanted:
        raise InputError(
            f"{name} takes {inputs}, the data gives {wanted}. Begin with keras.Input(spec.shape), or change "
            "data.image_size and data.channels."
        )
    if outputs != expected:
        units = expected[0][-1]
        raise InputError(f"{name} gives {outputs}, expected {expected}: end with keras.layers.Dense({units}).")
    made = flat(model)
    for operation in made.operations:
        kind = type(operation)
        if isinstance(operation, keras.layers.Layer):
            own = not kind.__module__.startswith("keras.") or isinstance(operation, keras.layers.Lambda)
        else:
            own = not is_operation(kind.__module__, kind.__name__)
        if own:
            raise InputError(
                f"{name}: layer {operation.name!r} is a {kind.__name__}, which isn't one of Keras's own layers or "
                "plain operations: it could neither be saved nor be exported. Make it of stock layers and keras.ops."
            )
    activation = activation_of(made)
    if activation and spec.outputs[0].shape:
        raise InputError(f"{name} ends in a {activation}; tkit trains and exports logits: leave the {activation} out.")
    return float32(made)
