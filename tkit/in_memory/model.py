"""A `keras.Model` of the user's own program: a copy that is checked as a file is, and its file.

The object isn't changed: its compile, its layers and their names stay as they are.
"""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import Any, NamedTuple

import keras

from tkit.in_memory.objects import digest_of
from tkit.keras_files.config import checked
from tkit.keras_internals import all_layers, functional, has_graph
from tkit_edge.errors import InputError


class Copy(NamedTuple):
    """A model of stock layers with weights of its own, uncompiled."""

    model: keras.Model
    where: str
    """What messages call it."""
    digest: str
    """Of its architecture and weights."""
    content: bytes
    """A .keras file of it."""


def copied(model: Any) -> Copy:
    """A copy of a functional or Sequential model of stock layers.

    Raises:
        InputError: another object, a model without a graph or that isn't built, or layers that aren't Keras's own.
    """
    where = check_graph(model)
    for layer in all_layers(model, include_self=False):
        _check_layer(layer, where)
    graph = functional(model)
    # Without its compile, whose losses and metrics may be anything.
    plain = keras.Model(graph.input, graph.output, name=model.name)
    try:
        config = json.loads(plain.to_json())
    except Exception as error:  # whatever a layer's settings raise
        raise InputError(f"{where} can't be described as JSON: {_first_line(error)}") from error
    config = checked(config, where)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.keras"
        plain.save(path)
        try:
            copy = keras.models.model_from_json(json.dumps(config))
            copy.load_weights(path)
        except Exception as error:  # Keras raises any exception on a layer that isn't what its settings say
            raise InputError(f"{where} can't be copied: {_first_line(error)}") from error
        content = path.read_bytes()
    values = {variable.path: variable.numpy() for variable in copy.weights}
    return Copy(copy, where, digest_of(json.dumps(config, sort_keys=True), values), content)


def check_graph(model: Any) -> str:
    """What messages call a model whose graph is known.

    Raises:
        InputError: another object, a subclass with code of its own, or a model that isn't built.
    """
    if not isinstance(model, keras.Model):
        raise InputError(
            f"model is a {type(model).__name__}: expected a keras.Model (Keras 3, functional or Sequential), or, where "
            "tkit reads files, the path of a .keras file."
        )
    where = f"the model {model.name!r}"
    kind = type(model).__name__
    own_call = any("call" in vars(cls) for cls in type(model).__mro__ if not cls.__module__.startswith("keras."))
    if own_call or not (isinstance(model, keras.Sequential) or has_graph(model)):
        raise InputError(
            f"{where} is a {kind}, a subclass whose call is Python code: it has no graph of layers that could be read, "
            "compressed or exported. Make a functional model of it: inputs = keras.Input((height, width, channels)); "
            "keras.Model(inputs, model.call(inputs))"
        )
    if not model.built or not functional(model):
        raise InputError(
            f"{where} isn't built, so its shapes and weights aren't known: begin it with keras.Input(shape), or call "
            "it on an example, or model.build((None, ...))."
        )
    return where


def _check_layer(layer: keras.layers.Layer, where: str) -> None:
    cls = type(layer)
    for setting in ("activation", "recurrent_activation"):
        if getattr(getattr(layer, setting, None), "__name__", None) == "<lambda>":
            raise InputError(
                f"{where}: layer {layer.name!r} has a lambda as its {setting}, Python code that no device runs. Use "
                "one of Keras's own (activation='relu', 'silu', 'gelu' ...) or operations of keras.ops."
            )
    if cls.__module__.startswith("keras."):
        return
    if cls.__module__.startswith("tkit."):
        raise InputError(
            f"{where}: layer {layer.name!r} is one that tkit trains with ({cls.__name__}). Take the model that the "
            "device gets: tkit.strip(model)"
        )
    raise InputError(
        f"{where}: layer {layer.name!r} is a {cls.__name__}, which isn't a class of Keras's own. Replace it by stock "
        "layers or operations of keras.ops."
    )


def _first_line(error: Exception) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0]
