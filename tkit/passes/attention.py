"""Decomposes attention into layers that every step supports: its projections become dense layers, one set per head.

A `MultiHeadAttention` keeps its weights in sublayers, where they can't be pruned, shared or rounded. Each head is
computed by dense layers, two products and a softmax, each of them one operator of the runtime.

Source: Vaswani et al. 2017, "Attention is all you need", section 3.2.2.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import keras
import numpy as np
from keras import layers

from tkit.graph import Part, chained, fresh, loaded, names, rewritten
from tkit.keras_internals import is_masked, nodes, projections

MASKED = -20.0
"""Added to the logit of what a softmax must leave out: its share is then about 1e-8, and an int8 range that holds it
still has steps of a tenth."""
_PLAIN = {"attention_axes": (None, (1,)), "sliding_window": (None,), "use_gate": (False,)}


def by_head(model: keras.Model) -> keras.Model:
    """A copy of a functional `model` whose attention is dense layers, equal up to rounding; `model` if it has none.

    Attention `x` becomes, for its first head, `x_query_0`, `x_key_0`, `x_value_0`, `x_scores_0`, `x_softmax_0` and
    `x_context_0`; `x_heads` concatenates the heads, and the output's projection is `x`. An attention mask becomes
    `x_mask_bias`, which `x_masked_0` adds to the scores: `MASKED` where nothing is attended to. Attention with a mask
    that Keras passes on, over several axes, or that returns its scores, is left unchanged. Dot-product attention `x`
    (Luong) becomes `x_scores`, `x_softmax` and `x`.
    """
    other = {node.operation.name for node in nodes(model) if not _is_plain(node)}
    used = names(model)

    def replace(node: Any) -> Part | None:
        layer = node.operation
        if layer.name in other:
            return None
        return _products(layer, used) if type(layer) is layers.Attention else _heads(layer, used)

    return rewritten(model, replace)


def masks(model: keras.Model) -> bool:
    """Whether attention in a functional `model` has a mask that is given."""
    return any(node.arguments.kwargs.get("attention_mask") is not None for node in nodes(model))


def _is_plain(node: Any) -> bool:
    """Whether a node is attention of one sequence to another, with no mask or one that is given."""
    layer = node.operation
    if type(layer) is layers.Attention:
        tensors = node.input_tensors
        asked = {name for name, value in node.arguments.kwargs.items() if value is not None and value is not False}
        return layer.score_mode == "dot" and asked <= {"inputs", "training"} and _unmasked(tensors)
    if type(layer) is not layers.MultiHeadAttention:
        return False
    settings = layer.get_config()
    tensors, keywords = _inputs(node.arguments.args, node.arguments.kwargs), node.arguments.kwargs
    asked = {name for name, value in keywords.items() if value is not None and value is not False}
    return (
        all(settings[name] in values for name, values in _PLAIN.items())
        and asked <= {"query", "value", "key", "training", "attention_mask"}
        and len(node.arguments.args) <= 3
        and len(getattr(keywords.get("attention_mask"), "shape", (1,) * 3)) == 3
        and _unmasked(tensors)
    )


def _unmasked(tensors: Sequence[Any]) -> bool:
    return all(len(tensor.shape) == 3 and not is_masked(tensor) for tensor in tensors)


def _inputs(arguments: tuple[Any, ...], keywords: dict[str, Any]) -> tuple[Any, Any, Any]:
    """Query, value and key of a call; the key defaults to the value."""
    given = dict(zip(("query", "value", "key"), arguments, strict=False)) | keywords
    key = given.get("key")
    return given["query"], given["value"], given["value"] if key is None else key


def _heads(attention: Any, used: set[str]) -> Part:
    """The layers that replace `attention`, with its weights: [batch, tokens, features] in and out."""
    bias, inside = attention.use_bias, projections(attention)
    # Scaling the queries instead of the scores saves an operator on the device.
    sources = {
        "query": (inside["query"], 1 / math.sqrt(attention.key_dim)),
        "key": (inside["key"], 1.0),
        "value": (inside["value"], 1.0),
    }

    def named(part: str) -> str:
        return fresh(f"{attention.name}_{part}", used)

    bias_of = _MaskBias(named)
    heads: list[dict[str, Part]] = []
    for head in range(attention.num_heads):
        parts: dict[str, Part] = {}
        for part, (source, factor) in sources.items():
            kernel = source.kernel.numpy()[:, head] * factor  # [features, heads, size]
            weights = [kernel, source.bias.numpy()[head] * factor] if bias else [kernel]
            parts[part] = _dense(named(f"{part}_{head}"), weights, attention.trainable)
        parts["scores"] = layers.Dot((2, 2), name=named(f"scores_{head}"))
        parts["masked"] = layers.Add(name=named(f"masked_{head}"))
        parts["softmax"] = layers.Softmax(name=named(f"softmax_{head}"))
        if attention.dropout:
            rate, seed = attention.dropout, attention.seed
            parts["dropout"] = layers.Dropout(rate, seed=seed, name=named(f"dropout_{head}"))
        parts["context"] = layers.Dot((2, 1), name=named(f"context_{head}"))
        heads.append(parts)
    join = layers.Concatenate(name=named("heads")) if len(heads) > 1 else None
    kernel = inside["output"].kernel.numpy()  # [heads, size, features]
    weights = [kernel.reshape(-1, kernel.shape[-1])]
    weights += [inside["output"].bias.numpy()] if bias else []
    project = _dense(attention.name, weights, attention.trainable)

    def call(*arguments: Any, **keywords: Any) -> Any:
        tensors = dict(zip(("query", "value", "key"), _inputs(arguments, keywords), strict=True))
        mask, contexts = keywords.get("attention_mask"), []
        added = None if mask is None else bias_of(mask)
        for parts in heads:
            projected = {part: parts[part](tensors[part]) for part in sources}
            scores = parts["scores"]([projected["query"], projected["key"]])
            shares = parts["softmax"](scores if added is None else parts["masked"]([scores, added]))
            shares = parts["dropout"](shares) if "dropout" in parts else shares
            contexts.append(parts["context"]([shares, projected["value"]]))
        return project(join(contexts) if join else contexts[0])

    return call


class _MaskBias:
    """What a mask adds to scores: looked up in a table of two numbers, so that it is an integer operator in int8."""

    def __init__(self, named: Callable[[str], str]) -> None:
        self._named = named
        self._layers: tuple[Part, Part] | None = None

    def __call__(self, mask: Any) -> Any:
        """From bool [batch, queries or 1, keys] to float32 of the same shape."""
        if self._layers is None:
            table = layers.Embedding(2, 1, trainable=False, name=self._named("mask_table"))
            rows = np.array([[MASKED], [0.0]], np.float32)
            shape = layers.Reshape(tuple(mask.shape[1:]), name=self._named("mask_bias"))
            self._layers = loaded(table, [rows], trainable=False), shape
        return chained(*self._layers)(mask)


def _products(attention: Any, used: set[str]) -> Part:
    """The layers that replace dot-product attention, which has no projections; the last one has its name."""
    scores = layers.Dot((2, 2), name=fresh(f"{attention.name}_scores", used))
    factor = float(attention.scale.numpy()) if attention.use_scale else 1.0
    scaled = layers.Rescaling(factor, name=fresh(f"{attention.name}_scaled", used)) if factor != 1 else None
    shares = layers.Softmax(name=fresh(f"{attention.name}_softmax", used))
    context = layers.Dot((2, 1), name=attention.name)

    def call(inputs: Any, **_: Any) -> Any:
        query, value, key = (*inputs, inputs[1])[:3] if len(inputs) == 2 else inputs
        products = scores([query, key])
        return context([shares(scaled(products) if scaled else products), value])

    return call


def _dense(name: str, weights: list[Any], trainable: bool) -> Part:
    return loaded(layers.Dense(weights[0].shape[-1], use_bias=len(weights) > 1, name=name), weights, trainable)
