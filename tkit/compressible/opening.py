"""Reads a model of the user's own, in memory, into the flat float32 model of primitive layers that steps work on."""

from __future__ import annotations

import keras

from tkit.compressible.model import Compressible
from tkit.compressible.stripping import promised, stripped
from tkit.graph import flattened
from tkit.in_memory.model import check_graph
from tkit.keras_files.graph import flat, float32
from tkit.keras_internals import functional, producer
from tkit.passes.decomposition import decomposed
from tkit.promises import Kept, State
from tkit.training.twin import training_twin
from tkit_edge.errors import InputError

_HALF = ("float16", "bfloat16")


def opened(model: keras.Model) -> State:
    """A copy of a model as a flat float32 model, and its promises.

    Args:
        model: functional or Sequential, built; or in training, as `prunable` and its kin return it. It isn't changed.

    Raises:
        InputError: anything else; a layer that Keras can't recreate; or a schedule that didn't come to its end.
    """
    check_graph(model)
    if isinstance(model, Compressible):
        return stripped(model)
    kept = promised(model)
    if kept is not None:
        return State(flattened(model), kept)
    graph = functional(model)
    try:
        copy = type(graph).from_config({**graph.get_config(), "name": model.name})
    except (TypeError, ValueError, NotImplementedError) as error:
        reason = " ".join(str(error).split())[:300]
        raise InputError(
            f"{model.name!r} has a layer that Keras can't recreate from its config: {reason} Register a layer of your "
            "own with @keras.saving.register_keras_serializable(), give it a get_config, and replace a Lambda by one."
        ) from error
    copy.set_weights(graph.get_weights())
    for made, layer in zip(copy.layers, graph.layers, strict=True):
        made.trainable = layer.trainable
    names = [str(producer(tensor).name) for tensor in graph.inputs]
    return State(decomposed(float32(flat(copy, names=names))), Kept())


def trainable(made: Compressible, like: keras.Model) -> Compressible:
    """A compressible model as the user trains it: fused kernels, the precision and the structure of the model `like`.

    It shares no weights with `made`.
    """
    computed = {getattr(layer, "compute_dtype", None) for layer in like.layers}
    half = next((dtype for dtype in _HALF if dtype in computed), None)
    graph = training_twin(made.as_graph(), f"mixed_{half}" if half else "float32", 0.0)
    return Compressible.of(graph, made.method, made.kept, made.origin, like)
