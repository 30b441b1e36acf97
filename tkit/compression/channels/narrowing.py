"""Removes channels from a model; the proof: the model with the same channels zeroed computes the same."""

from __future__ import annotations

import json
from typing import Any

import keras
import numpy as np

from tkit.compression.channels.axes import OWN
from tkit.compression.channels.groups import Layout, ids_along


def narrow(model: keras.Model, keep: dict[str, np.ndarray]) -> keras.Model:
    """A smaller dense model of stock layers under the same names, without the channels that aren't kept.

    Args:
        model: a flat functional model of stock layers in float32.
        keep: a group's name -> int [n], the channels to keep, in any order; groups that aren't named keep all.

    Returns:
        An uncompiled functional model with its own weights.

    Raises:
        InputError: an unknown group, one that can't be pruned, or no or wrong channels.

    Example: `narrow(model, {"stem_conv": np.arange(8)})`
    """
    layout = Layout(model)
    gone = layout.removed(keep)
    config = _config(model)
    for entry in config["layers"]:
        # It has the wide shapes, and would be applied before the layer is called.
        entry.pop("build_config", None)
        given = layout.trace.given.get(entry["config"]["name"])
        if given is not None:
            _resize(entry["config"], int(np.sum(~gone[layout.trace.ties.roots(given)])))
    made = keras.Model.from_config(config)
    for layer in model.layers:
        for old, new in _pairs(layer, made):
            array = old.numpy()
            for axis, _, ids in ids_along(layout.trace, layer, old.name):
                array = np.compress(~gone[ids], array, axis)
            new.assign(array)
    return made


def mask(model: keras.Model, keep: dict[str, np.ndarray]) -> keras.Model:
    """The model at full width with the weights of all other channels zeroed; it computes the same as `narrow`'s.

    Bias, BatchNormalization's beta and moving mean are zeroed too, so that a removed channel is 0 wherever it is read.

    Args, Returns, Raises: as `narrow`.
    """
    layout = Layout(model)
    gone = layout.removed(keep)
    made = keras.Model.from_config(_config(model))
    for layer in model.layers:
        for old, new in _pairs(layer, made):
            array = old.numpy()
            for axis, side, ids in ids_along(layout.trace, layer, old.name):
                if side in OWN and old.name != "moving_variance":
                    np.moveaxis(array, axis, 0)[gone[ids]] = 0
            new.assign(array)
    return made


def _config(model: keras.Model) -> dict[str, Any]:
    return json.loads(json.dumps(model.get_config()))


def _pairs(layer: keras.layers.Layer, made: keras.Model) -> list[tuple[Any, Any]]:
    return list(zip(layer.weights, made.get_layer(layer.name).weights, strict=True))


def _resize(settings: dict[str, Any], width: int) -> None:
    """A layer's JSON with another number of output channels."""
    for key in ("filters", "units"):
        if key in settings:
            settings[key] = width
    if "target_shape" in settings and settings["target_shape"][-1] != -1:
        settings["target_shape"] = [*settings["target_shape"][:-1], width]
