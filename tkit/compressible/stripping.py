"""Models in training as stock models again, with what holds of them."""

from __future__ import annotations

from weakref import WeakKeyDictionary

import keras

from tkit.compressible.model import Compressible
from tkit.graph import flattened
from tkit.keras_internals import functional
from tkit.promises import Kept, State
from tkit.training.twin import untwinned

_promises: WeakKeyDictionary[keras.Model, Kept] = WeakKeyDictionary()
"""Of the models that `tkit.strip` and `tkit.narrow` returned, which are stock models and hold nothing else."""


def stripped(model: Compressible) -> State:
    """The flat stock float32 model of one in training, which isn't changed, and its promises.

    Raises:
        InputError: its schedule didn't come to its end.
    """
    return model.method.finished(untwinned(flattened(model)), model.kept, model.origin)


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
