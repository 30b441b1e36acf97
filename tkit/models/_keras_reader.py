"""Reading a stranger's .keras file: safely, into one flat float32 functional model of stock layers on raw pixels.

The file's JSON is checked before Keras sees it, because Keras's safe mode has had bypasses. Then the graph is laid
out again: nested models are unfolded, arithmetic with numbers becomes a Rescaling, mixed precision becomes float32,
and a Rescaling in front brings raw 0-255 pixels to what the model was trained on.
"""

from __future__ import annotations

import copy
import json
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal, NamedTuple

import keras
import numpy as np

from tkit.model_files import check_classes
from tkit.models._keras_graph import activation_of, first_scaling, flat, float32, takes_raw_pixels
from tkit_edge.errors import InputError
from tkit_edge.runtime import PIXELS

MAX_CONFIG_BYTES = 64 << 20
_MODELS = ("Functional", "Sequential")
_ARITHMETIC = ("Add", "Subtract", "Multiply", "TrueDivide", "Divide")  # what `_keras_graph` makes layers of


class Found(NamedTuple):
    """A model that was read, and what it takes and gives."""

    model: keras.Model
    input_shape: tuple[int, int, int]
    outputs: int
    output: Literal["logits", "probabilities"]
    activation: str | None
    pixels: str
    """What the file's own model took, as the user said it or the model shows it."""


def read(path: Path, pixels: str | None) -> Found:
    """The model in a .keras file, on raw 0-255 float32 pixels.

    Args:
        path: the file.
        pixels: "0-255", "0-1", "-1-1", or None where the model's own first layer tells.

    Raises:
        InputError: no whole .keras file, code or classes that aren't stock Keras, not one picture in and one row of
            scores out, or `pixels` that has to be said.
    """
    config = _config(path)
    _check_config(copy.deepcopy(config), path)
    try:
        # Keras gets the very JSON that was checked, and of the file only the arrays.
        loaded = keras.models.model_from_json(json.dumps(config))
        if loaded.built and loaded.inputs:
            loaded.load_weights(path)
    except Exception as error:  # whatever Keras raises on a file that it can't read
        reason = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise InputError(f"{path} cannot be loaded by Keras {keras.__version__}: {reason}") from error
    shape, outputs = _signature(loaded, path)
    base = flat(loaded, None, path)
    if pixels is None:
        scaling = first_scaling(base)
        if scaling is None or not takes_raw_pixels(scaling):
            raise InputError(
                f"{path} doesn't show what pixels it takes: it begins with no Rescaling or Normalization of raw "
                "pixels. Say what it was trained on: --pixels 0-255 (raw bytes), --pixels 0-1 (divided by 255) or "
                "--pixels=-1-1 (divided by 127.5, less 1)."
            )
        pixels = "0-255"
    scale = PIXELS[pixels]
    model = float32(base if scale == PIXELS["0-255"] else flat(loaded, scale, path))
    _check_equal(loaded, model, shape, scale)
    activation = activation_of(model)
    return Found(model, shape, outputs, "probabilities" if activation else "logits", activation, pixels)


def with_outputs(found: Found, classes: int, path: str) -> Found:
    """The model with one output a class: a single score for two classes becomes two.

    Raises:
        InputError: another number of outputs than classes.
    """
    if found.outputs == classes:
        return found
    if found.outputs != 1 or classes != 2:
        raise InputError(
            f"{path} has {found.outputs} outputs, the data has {classes} classes: expected one output a class, in the "
            "order of the class folders' names."
        )
    score = found.model.outputs[0]
    probability = found.output == "probabilities"
    first = keras.layers.Rescaling(-1.0 if probability else -0.5, float(probability), name="first_class")(score)
    second = score if probability else keras.layers.Rescaling(0.5, name="second_class")(score)
    both = keras.layers.Concatenate(name="two_classes")([first, second])
    return found._replace(model=float32(keras.Model(found.model.inputs, both, name=found.model.name)), outputs=2)


def _config(path: Path) -> dict[str, Any]:
    """The file's config.json, which names every layer."""
    try:
        with open(path, "rb") as file:
            start = file.read(8)
        if start == b"\x89HDF\r\n\x1a\n":
            raise InputError(
                f"{path} is an HDF5 file, Keras's older format. Make a .keras file of it: "
                'keras.saving.load_model("model.h5").save("model.keras")'
            )
        with zipfile.ZipFile(path) as archive:
            if archive.getinfo("config.json").file_size > MAX_CONFIG_BYTES:
                raise InputError(f"{path}: its config.json is larger than any model's.")
            config = json.loads(archive.read("config.json"))
            names = archive.namelist()
    except OSError as error:
        raise InputError(f"Cannot read {path}: {error.strerror}.") from error
    except (zipfile.BadZipFile, KeyError, ValueError, RecursionError) as error:
        raise InputError(
            f"{path} is no whole .keras file: expected what model.save('model.keras') writes, found {error}. Is it "
            "complete?"
        ) from error
    if not isinstance(config, dict) or "model.weights.h5" not in names:
        raise InputError(f"{path} is no whole .keras file: it lacks its config or its weights. Save it again.")
    _forget_training(config)
    return config


def _forget_training(config: Any) -> None:
    """Takes losses, metrics and optimizers out of a model's JSON, which may be classes of the user's own."""
    if isinstance(config, dict):
        config.pop("compile_config", None)
        for value in config.values():
            _forget_training(value)
    elif isinstance(config, list):
        for value in config:
            _forget_training(value)


def _check_config(config: dict[str, Any], path: Path) -> None:
    """Refuses code and foreign classes, by the layers' names, before Keras looks at them."""
    top = config.get("class_name")
    if top not in _MODELS:
        raise InputError(
            f"{path} holds a {top}, a model class of its own; tkit takes functional and Sequential models, whose "
            "whole graph is in the file. Make one of it: inputs = keras.Input((height, width, channels)); "
            "keras.Model(inputs, model.call(inputs)).save('functional.keras')"
        )
    for layer in _layers(config):
        kind, module, settings = layer.get("class_name"), layer.get("module"), layer.get("config")
        name = layer.get("name") or (settings.get("name") if isinstance(settings, dict) else None)
        if kind == "Lambda":
            raise InputError(
                f"{path}: layer {name!r} is a Lambda, which holds Python code; tkit runs no code out of a model file "
                "and no device could. Replace it by stock layers (Rescaling, Multiply, Add ...) and save again."
            )
        if not isinstance(module, str) or module.partition(".")[0] != "keras":
            raise InputError(
                f"{path}: layer {name!r} is a {kind}, which isn't a class of Keras's own. Replace it by stock layers "
                "and save again, or train the model through a recipe's Python file: --recipe ./mine.py"
            )
        if module == "keras.src.ops.numpy" and kind in _ARITHMETIC:
            layer["class_name"], layer["module"] = "Add", "keras.layers"  # harmless, and a layer is made of it
        elif module.startswith("keras.src.ops"):
            raise InputError(
                f"{path}: {name!r} is the bare operation {kind}; expected layers. Replace it by a stock layer (such "
                "as Rescaling, Add, Concatenate, Reshape) and save again."
            )
    check_classes(config, path)


def _layers(config: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """The layers of a model's JSON, those of nested models and wrapped ones too."""
    inner = config.get("config")
    if not isinstance(inner, dict):
        return
    for layer in [*_list(inner.get("layers")), inner.get("layer")]:
        if isinstance(layer, dict):
            yield layer
            yield from _layers(layer)


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _signature(model: keras.Model, path: Path) -> tuple[tuple[int, int, int], int]:
    """Height, width and channels of the input, and the number of outputs."""
    if not model.built or not model.inputs:
        raise InputError(f"{path} was saved before it knew its input: add keras.Input((height, width, channels)).")
    inputs, outputs = [tuple(tensor.shape) for tensor in model.inputs], [tuple(item.shape) for item in model.outputs]
    if len(inputs) != 1 or len(outputs) != 1:
        raise InputError(
            f"{path} has {len(inputs)} inputs and {len(outputs)} outputs; expected one picture in and one row of "
            "scores out. Make such a model of it: keras.Model(inputs, outputs).save(...)"
        )
    if len(inputs[0]) != 4:
        raise InputError(
            f"{path} takes {list(inputs[0])}; expected pictures: [batch, height, width, channels]. Put a Reshape in "
            "front and save again."
        )
    if None in inputs[0][1:]:
        raise InputError(
            f"{path} takes pictures of any size, {list(inputs[0])}; a device needs one. Fix it: inputs = keras.Input("
            f"(224, 224, {inputs[0][3] or 3})); keras.Model(inputs, model(inputs)).save('fixed.keras')"
        )
    height, width, channels = inputs[0][1:]
    if channels not in (1, 3):
        raise InputError(
            f"{path} takes {channels} channels ({list(inputs[0])}); expected 1 (grey) or 3 (RGB), as the last axis."
        )
    if len(outputs[0]) != 2 or not outputs[0][1]:
        raise InputError(f"{path} gives {list(outputs[0])}; expected one row of scores a picture: [batch, classes].")
    return (height, width, channels), outputs[0][1]


def _check_equal(theirs: keras.Model, ours: keras.Model, shape: tuple[int, ...], scale: tuple[float, float]) -> None:
    """Makes sure that the model laid out again computes what the file's does; half precision is given its share."""
    images = np.random.default_rng(0).integers(0, 256, (2, *shape)).astype(np.float32)
    factor, offset = scale
    expected = np.asarray(theirs.predict(images * np.float32(factor) + np.float32(offset), verbose=0), np.float32)
    half = any("float16" in str(layer.compute_dtype) for layer in theirs.layers)
    difference = np.abs(ours.predict(images, verbose=0) - expected).max()
    if not difference <= (0.1 if half else 1e-3) * max(1.0, np.abs(expected).max()):
        raise RuntimeError(f"The model laid out again differs from the file's by {difference}: a fault of tkit's.")
