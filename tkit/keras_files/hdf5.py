"""A complete model in an HDF5 file (.h5), the format of Keras 2: its JSON, in the form that Keras 3 writes."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

from tkit.model_classes import module_of
from tkit_edge.errors import InputError

# Settings of Keras 2 that Keras 3 no longer has; they didn't affect what a trained layer computes.
_GONE = {
    "DepthwiseConv2D": ("groups", "kernel_initializer", "kernel_regularizer", "kernel_constraint"),
    "SeparableConv2D": ("groups", "kernel_initializer", "kernel_regularizer", "kernel_constraint"),
    "LSTM": ("time_major", "implementation"),
    "GRU": ("time_major", "implementation"),
    "SimpleRNN": ("time_major",),
}


def model_config(data: bytes, path: Path, limit: int) -> dict[str, Any]:
    """The model's JSON in the file `data`, whose arrays have been checked.

    Raises:
        InputError: only weights, or no JSON of at most `limit` bytes.
    """
    import h5py

    with h5py.File(io.BytesIO(data), "r") as file:
        text = file.attrs.get("model_config")
    if text is None:
        raise InputError(
            f"{path} holds only weights. Make a complete model of them: model = build_model(); "
            f"model.load_weights('{path.name}'); model.save('model.keras')"
        )
    try:
        config = json.loads(text) if len(text) <= limit else None
    except (ValueError, TypeError, RecursionError):
        config = None
    if not isinstance(config, dict):
        raise InputError(f"{path} holds no description of a model that can be read. Save it again.")
    _modernize(config)
    return config


def _modernize(config: dict[str, Any]) -> None:
    """Adds the module names that Keras 2 left out, and removes settings that Keras 3 doesn't know."""
    waiting: list[Any] = [config]
    while waiting:  # not by recursion: a hostile file may nest deeper than Python's stack goes
        value = waiting.pop()
        if isinstance(value, list):
            waiting += value
        if not isinstance(value, dict):
            continue
        if isinstance(value.get("class_name"), str) and "module" not in value:
            if value["class_name"] == "Model":
                value["class_name"] = "Functional"
            settings = value["config"] if isinstance(value.get("config"), dict) else {}
            model_or_layer = "layers" in settings or "trainable" in settings or value["class_name"] == "InputLayer"
            value["module"] = module_of(value["class_name"], layer=model_or_layer)
            _modernize_settings(value["class_name"], settings)
        waiting += value.values()


def _modernize_settings(kind: str, settings: dict[str, Any]) -> None:
    shape = settings.pop("batch_input_shape", None)
    if kind == "InputLayer" and shape is not None:
        settings["batch_shape"] = shape
    elif isinstance(shape, list):
        settings["input_shape"] = shape[1:]
    if kind == "BatchNormalization" and isinstance(settings.get("axis"), list) and len(settings["axis"]) == 1:
        settings["axis"] = settings["axis"][0]
    policy = settings.get("dtype")
    if isinstance(policy, dict) and policy.get("class_name") == "Policy" and isinstance(policy.get("config"), dict):
        settings["dtype"] = policy["config"].get("name")
    for setting in _GONE.get(kind, ()):
        settings.pop(setting, None)
