"""The copy of a model from which int8 and int16x8 are converted: equivalent, without what the converter fails on.

Shared layers get one copy per call: a convolution's bias is stored in steps of its input's scale, and two calls have
two. Recurrent layers are unrolled: calibrating a loop crashes the converter. Attention with a mask is computed head by
head: Keras masks scores with the largest float, which leaves no codes for the others. Caps that no activation comes
near are removed: where an output's range is nearly 0, the runtime can't express a cap in its steps and refuses the
file.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import keras
import numpy as np
from keras import layers

from tkit.arrays import count, fed, part
from tkit.graph import Part, calls, clone, cloned, fresh, loaded, names, rewritten
from tkit.keras_internals import functional, has_graph, nodes
from tkit.passes.attention import by_head, masks
from tkit_edge.tensors import Arrays

IDLE = 1e-3
"""Share of its cap: an activation whose outputs stay below is never capped."""
_LOOPS = (layers.RNN, layers.Bidirectional, layers.TimeDistributed)
_BATCH = 64


def integer_copy(model: keras.Model, examples: Arrays) -> keras.Model:
    """The copy; `model` itself if nothing has to change.

    Args:
        model: functional or Sequential.
        examples: those that calibrate activation ranges.
    """
    graph = _functional(model) or model
    copy = _uncapped(_separated(by_head(graph) if masks(graph) else graph), examples)
    return model if copy is graph else copy


def _separated(model: keras.Model) -> keras.Model:
    """A copy whose layers with weights are called once each, and whose recurrent layers are unrolled."""
    count, taken = calls(model), names(model)

    def replace(node: Any) -> Part | None:
        layer = node.operation
        if not isinstance(layer, layers.Layer):
            return None
        inner = _functional(layer)
        flat = None if inner is None else _separated(inner)
        settings = layer.get_config() if inner is None else {}
        unrolled = _unrolled(settings) if isinstance(layer, _LOOPS) else settings
        if flat is inner and unrolled == settings and not (count[layer.name] > 1 and layer.weights):
            return None
        unused = [layer.name]

        def call(*arguments: Any, **keywords: Any) -> Any:
            name = unused.pop() if unused else fresh(layer.name, taken)
            copy = type(layer).from_config({**unrolled, "name": name}) if flat is None else _named(flat, name)
            weights = layer.get_weights() if name == layer.name else _made_distinct(layer, len(taken))
            return loaded(copy, weights)(*arguments, **keywords)

        return call

    return rewritten(model, replace)


def _made_distinct(layer: layers.Layer, number: int) -> list[np.ndarray]:
    """A layer's weights, with biases and the like shifted by one rounding error: the converter merges equal
    constants."""
    return [
        value if "kernel" in variable.name else value + np.float32(number) * np.spacing(value)
        for variable, value in zip(layer.weights, layer.get_weights(), strict=True)
    ]


def _functional(layer: layers.Layer) -> keras.Model | None:
    """The graph of a nested model."""
    model = functional(layer)
    return model if has_graph(model) else None


def _named(model: keras.Model, name: str) -> keras.Model:
    copy = cloned(model)
    copy.name = name
    return copy


def _unrolled(settings: Any) -> Any:
    """A layer's settings, its wrapped layers' too, with every loop unrolled."""
    if isinstance(settings, dict):
        return {key: True if key == "unroll" else _unrolled(value) for key, value in settings.items()}
    return settings


def _uncapped(model: keras.Model, examples: Arrays) -> keras.Model:
    """A copy in which activations have no cap that they don't come near."""
    caps = [(node, cap) for node in nodes(model) if (cap := _cap(node.operation))]
    if not caps:
        return model
    probe = keras.Model(model.inputs, [node.outputs[0] for node, _ in caps])
    largest = np.max([[float(np.max(item)) for item in found] for found in _outputs(probe, examples)], axis=0)
    near = {node.operation.name for (node, cap), value in zip(caps, largest, strict=True) if not value < IDLE * cap}

    def replace(node: Any) -> Part | None:
        layer = node.operation
        if not _cap(layer) or layer.name in near:
            return None
        change = {"max_value": None} if isinstance(layer, layers.ReLU) else {"activation": "relu"}
        return loaded(clone(layer, **change), layer.get_weights())

    return rewritten(model, replace)


def _outputs(model: keras.Model, examples: Arrays) -> Iterator[list[Any]]:
    for start in range(0, count(examples), _BATCH):
        found = model.predict_on_batch(fed(model, part(examples, slice(start, start + _BATCH))))
        yield found if isinstance(found, list) else [found]


def _cap(layer: Any) -> float | None:
    """The upper bound of a layer's ReLU."""
    if isinstance(layer, layers.ReLU):
        return layer.max_value
    return 6.0 if getattr(layer, "activation", None) is keras.activations.relu6 else None
