"""Attention as layers that every step knows: its projections become dense layers, a set for each head.

A `MultiHeadAttention` keeps its weights in layers of its own, where nothing prunes, shares or rounds them. Head by head
it is dense layers, two products and a softmax, each of them one operator of the runtime.

Source: Vaswani et al. 2017, "Attention is all you need", section 3.2.2.
"""

from __future__ import annotations

import math
from typing import Any

import keras
from keras import layers

from tkit.compress._graph import calls, clone, nodes, rebuilt

_PLAIN = {"attention_axes": (None, (1,)), "sliding_window": (None,), "use_gate": (False,)}


def by_head(model: keras.Model) -> keras.Model:
    """A copy of a functional `model` whose attention is dense layers, equal up to rounding; `model` if it has none.

    Attention `x` becomes, for its first head, `x_query_0`, `x_key_0`, `x_value_0`, `x_scores_0`, `x_softmax_0` and
    `x_context_0`; `x_heads` concatenates the heads, and the output's projection is `x`. Attention with a mask, over
    several axes, or called more than once stays as it is.
    """
    count = calls(model)
    plain = {node.operation.name for node in nodes(model) if count[node.operation.name] == 1 and _is_plain(node)}
    if not plain:
        return model
    made: dict[str, keras.layers.Layer] = {}

    def call(node: Any, arguments: tuple[Any, ...], keywords: dict[str, Any]) -> Any:
        layer = node.operation
        if layer.name in plain:
            return _heads(layer, *_inputs(arguments, keywords))
        if not isinstance(layer, keras.layers.Layer):
            return layer(*arguments, **keywords)
        if layer.name not in made:
            made[layer.name] = clone(layer)
        return made[layer.name](*arguments, **keywords)

    copy = rebuilt(model, lambda tensor: tensor, call)
    for name, layer in made.items():
        old = model.get_layer(name)
        layer.set_weights(old.get_weights())
        layer.trainable = old.trainable
    return copy


def _is_plain(node: Any) -> bool:
    """Whether a node is attention of one sequence to another, without a mask."""
    layer = node.operation
    if type(layer) is not layers.MultiHeadAttention:
        return False
    settings = layer.get_config()
    tensors, keywords = _inputs(node.arguments.args, node.arguments.kwargs), node.arguments.kwargs
    asked = {name for name, value in keywords.items() if value is not None and value is not False}
    return (
        all(settings[name] in values for name, values in _PLAIN.items())
        and asked <= {"query", "value", "key", "training"}
        and len(node.arguments.args) <= 3
        and all(len(tensor.shape) == 3 and getattr(tensor, "_keras_mask", None) is None for tensor in tensors)
    )


def _inputs(arguments: tuple[Any, ...], keywords: dict[str, Any]) -> tuple[Any, Any, Any]:
    """Query, value and key of a call; the key is the value where none is given."""
    given = dict(zip(("query", "value", "key"), arguments, strict=False)) | keywords
    key = given.get("key")
    return given["query"], given["value"], given["value"] if key is None else key


def _heads(attention: Any, query: Any, value: Any, key: Any) -> Any:
    """The layers in the place of `attention`, with its weights: [batch, tokens, features] in and out."""
    bias = attention.use_bias
    # Scaling the queries, not the scores, saves the device an operator.
    parts = {
        "query": (attention._query_dense, query, 1 / math.sqrt(attention.key_dim)),
        "key": (attention._key_dense, key, 1.0),
        "value": (attention._value_dense, value, 1.0),
    }
    contexts = []
    for head in range(attention.num_heads):
        name = f"{attention.name}_{{}}_{head}".format
        projected = {}
        for part, (source, tensor, factor) in parts.items():
            kernel = source.kernel.numpy()[:, head] * factor  # [features, heads, size]
            weights = [kernel, source.bias.numpy()[head] * factor] if bias else [kernel]
            projected[part] = _dense(name(part), weights, tensor, attention)
        scores = layers.Dot((2, 2), name=name("scores"))([projected["query"], projected["key"]])
        shares = layers.Softmax(name=name("softmax"))(scores)
        if attention.dropout:
            shares = layers.Dropout(attention.dropout, seed=attention.seed, name=name("dropout"))(shares)
        contexts.append(layers.Dot((2, 1), name=name("context"))([shares, projected["value"]]))
    joined = layers.Concatenate(name=f"{attention.name}_heads")(contexts) if len(contexts) > 1 else contexts[0]
    kernel = attention._output_dense.kernel.numpy()  # [heads, size, features]
    weights = [kernel.reshape(-1, kernel.shape[-1])]
    weights += [attention._output_dense.bias.numpy()] if bias else []
    return _dense(attention.name, weights, joined, attention)


def _dense(name: str, weights: list[Any], tensor: Any, attention: Any) -> Any:
    layer = layers.Dense(weights[0].shape[-1], use_bias=len(weights) > 1, name=name)
    output = layer(tensor)
    layer.set_weights(weights)
    layer.trainable = attention.trainable
    return output
