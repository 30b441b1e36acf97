"""Models in training as stock models again, with what holds of them."""

from __future__ import annotations

from weakref import WeakKeyDictionary

import keras

from tkit.compressible.model import Compressible
from tkit.graph import flattened
from tkit.keras_internals import functional
from tkit.promises import Kept, State
from tkit.training.twin import untwinned
from tkit_edge.errors import InputError

_promises: WeakKeyDictionary[keras.Model, Kept] = WeakKeyDictionary()
"""Of the models that `strip` and `narrow` returned, which are stock models and hold nothing else."""


def stripped(model: Compressible) -> State:
    """The flat stock float32 model of one in training, which isn't changed, and its promises.

    Raises:
        InputError: its schedule didn't come to its end.
    """
    return model.method.finished(untwinned(flattened(model)), model.kept, model.origin)


def strip(model: keras.Model) -> keras.Model:
    """The stock Keras model of one that `prunable`, `clusterable` or `quantize_aware` returned, as it is trained now.

    Its weights are those of the device: zeros, shared values, int8 codes times scales. It is float32, it loads without
    tkit, and this process remembers its promises, for `to_tflite`. Saved and loaded, it has lost them: save the model
    in training where quantization-aware training is to be exported later.

    Args:
        model: it isn't changed.

    Raises:
        InputError: a model of stock layers, or one whose schedule didn't come to its end.

    Example:
        >>> tkit.strip(model).save("small.keras")
    """
    if not isinstance(model, Compressible):
        before = isinstance(model, keras.Model) and promised(model) is not None
        raise InputError(
            "strip expected a model that tkit.prunable, tkit.clusterable or tkit.quantize_aware returned, received "
            + ("one that has been stripped: it has stock layers already." if before else f"{type(model).__name__}.")
        )
    return remember(stripped(model), model)


def remember(state: State, like: keras.Model) -> keras.Model:
    """The state's model, with inputs and outputs in the structure of `like`; its promises are kept while it lives."""
    shape = functional(like)
    inputs = keras.tree.pack_sequence_as(shape.input, state.model.inputs)
    outputs = keras.tree.pack_sequence_as(shape.output, state.model.outputs)
    model = keras.Model(inputs, outputs, name=state.model.name)
    _promises[model] = state.kept
    return model


def promised(model: keras.Model) -> Kept | None:
    """What `remember` kept of a model."""
    return _promises.get(model)
