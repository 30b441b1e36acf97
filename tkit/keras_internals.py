"""What tkit uses of Keras's private names, all of it here; `tests/test_keras_internals.py` holds each to its meaning.

A functional model's graph is not public in Keras 3, nor is what LoRA, attention and optimizers keep.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import keras
from keras.src.backend.common import global_state
from keras.src.ops.numpy import Flip as Flip

Node = Any
"""One call of a layer or operation: `operation`, `arguments`, `input_tensors`, `outputs`."""


def functional(model: Any) -> Any:
    """The functional model that a Sequential one holds; anything else itself."""
    return model._functional if isinstance(model, keras.Sequential) else model


def has_graph(model: Any) -> bool:
    """Whether this is a functional model."""
    return isinstance(model, keras.Model) and hasattr(model, "_nodes_by_depth")


def nodes(model: keras.Model) -> Iterator[Node]:
    """The calls of a functional model's operations, each after those whose tensors it takes; inputs are none."""
    for depth in sorted(model._nodes_by_depth, reverse=True):
        yield from (node for node in model._nodes_by_depth[depth] if not node.is_input)


def producer(tensor: keras.KerasTensor) -> Any:
    """The layer or operation that gives a symbolic tensor."""
    return tensor._keras_history.operation


def is_masked(tensor: keras.KerasTensor) -> bool:
    """Whether a symbolic tensor carries a mask."""
    return getattr(tensor, "_keras_mask", None) is not None


def calls_of(layer: keras.layers.Layer) -> list[Node]:
    """A layer's calls, in whatever model."""
    return list(layer._inbound_nodes)


def has_one_output(model: keras.Model) -> bool:
    """Whether a functional model gives a tensor, not a list or a dict of them."""
    return not isinstance(model._outputs_struct, (list, tuple, dict))


def run_through(model: keras.Model, tensors: Any, call: Callable[[Any], Any]) -> Any:
    """What a functional or Sequential model gives for `tensors`, each operation called through `call(operation)`."""
    return functional(model)._run_through_graph(tensors, operation_fn=call)


def all_layers(layer: keras.layers.Layer, include_self: bool = True) -> Iterator[keras.layers.Layer]:
    """A layer, and all layers inside of it."""
    return layer._flatten_layers(include_self=include_self)


def own_variables(layer: keras.layers.Layer) -> list[keras.Variable]:
    """A layer's variables without those of layers inside of it."""
    return layer._trainable_variables + layer._non_trainable_variables


def stop_autocast(variable: keras.Variable) -> None:
    """Has layers with a mixed-precision policy take a variable in its own dtype."""
    variable._autocast = False


def lora_kernel(layer: keras.layers.Layer) -> tuple[keras.Variable, Any] | None:
    """The kernel that a layer with LoRA keeps, and the one that it computes with; None for a layer without."""
    if not getattr(layer, "lora_enabled", False):
        return None
    if isinstance(layer, keras.layers.Embedding):
        return layer._embeddings, layer.embeddings
    return layer._kernel, layer.kernel


def table_of(embedding: keras.layers.Embedding) -> keras.Variable:
    """The variable that an embedding looks up in."""
    return embedding._embeddings


def projections(attention: keras.layers.MultiHeadAttention) -> dict[str, keras.layers.Layer]:
    """The layers inside of an attention layer: "query", "key", "value" and "output"."""
    return {part: getattr(attention, f"_{part}_dense") for part in ("query", "key", "value", "output")}


def averages(optimizer: keras.Optimizer) -> Sequence[tuple[keras.Variable, keras.Variable]]:
    """The variables of an optimizer with `use_ema`, each with its moving average."""
    return list(zip(optimizer._trainable_variables, optimizer._model_variables_moving_average, strict=True))


def variable_index(optimizer: keras.Optimizer, variable: Any) -> int:
    """The number of a variable among those that the optimizer was built for."""
    return optimizer._get_variable_index(variable)


@contextmanager
def unmade_variables() -> Iterator[Callable[[], None]]:
    """While inside, Keras's new variables have a shape and no memory; memory for all of them once `make` is called."""
    with keras.StatelessScope(initialize_variables=False) as scope:
        try:
            yield lambda: setattr(scope, "initialize_variables", True)
        finally:
            if not scope.initialize_variables:
                global_state.set_global_attribute("uninitialized_variables", [])
