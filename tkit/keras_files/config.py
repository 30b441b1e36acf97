"""Checks a Keras model's JSON and converts it to the form that Keras 3 writes today, without Keras itself."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tkit.model_classes import check_classes, is_operation
from tkit_edge.errors import InputError

_MODELS = ("Functional", "Sequential")
# TensorFlow's names for functions that Keras names differently; the others are saved under names that Keras knows.
_TENSORFLOW = {"softmax_v2": "softmax", "swish": "silu", "log_softmax_v2": "log_softmax", "identity": "linear"}
_ACTIVATIONS = """
    celu elu exponential gelu glu hard_shrink hard_sigmoid hard_silu hard_swish hard_tanh leaky_relu linear log_sigmoid
    log_softmax mish relu relu6 selu sigmoid silu soft_shrink softmax softplus softsign sparse_plus sparse_sigmoid
    sparsemax squareplus swish tanh tanh_shrink threshold
"""
_ACTIVATION_KEYS = ("activation", "recurrent_activation")


def checked(config: dict[str, Any], path: Path | str) -> dict[str, Any]:
    """The JSON without losses and metrics, and with Keras's names for activations.

    Raises:
        InputError: code, foreign classes, or a model that Keras has quantized; the layer is named.
    """
    _forget_training(config)
    top = config.get("class_name")
    if ".engine." in f"{config.get('module')}.":
        raise InputError(
            f"{path} was saved by Keras 2, whose .keras files Keras 3 can't read. Make an .h5 file of it, which tkit "
            f"reads: import tf_keras; tf_keras.models.load_model('{Path(path).name}').save('model.h5')"
        )
    if config.get("registered_name") == "tkit.layers>Compressible":
        raise InputError(
            f"{path} holds a model in training, as tkit.prunable and its kin return it. Export it in Python: model = "
            f"tkit.load_model('{Path(path).name}'); tkit.to_tflite(model, ...). Or save what the device gets: "
            "tkit.strip(model).save('stripped.keras')"
        )
    if top not in _MODELS:
        raise InputError(
            f"{path} holds a {str(top)[:200]}, a model class of its own; tkit takes functional and Sequential models, "
            "whose whole graph is in the file. Make one of it: inputs = keras.Input((height, width, channels)); "
            "keras.Model(inputs, model.call(inputs)).save('functional.keras')"
        )
    for layer in _layers(config):
        _check_layer(layer, path)
    check_classes(config, path)
    return config


def _forget_training(config: Any) -> None:
    """Removes losses, metrics and optimizers, which may be the user's own classes, from a model's JSON."""
    waiting = [config]
    while waiting:
        value = waiting.pop()
        if isinstance(value, dict):
            value.pop("compile_config", None)
            waiting += value.values()
        elif isinstance(value, list):
            waiting += value


def _check_layer(layer: dict[str, Any], path: Path | str) -> None:
    kind, module, settings = layer.get("class_name"), layer.get("module"), layer.get("config")
    settings = settings if isinstance(settings, dict) else {}
    name = layer.get("name") or settings.get("name")
    if kind == "Lambda":
        raise InputError(
            f"{path}: layer {name!r} is a Lambda, which holds Python code; tkit runs no code out of a model file and "
            "no device could. Replace it by stock layers (Rescaling, Multiply, Add ...) or keras.ops and save again."
        )
    if not isinstance(module, str) or module.partition(".")[0] != "keras":
        raise InputError(
            f"{path}: layer {name!r} is a {kind}, which isn't a class of Keras's own. Replace it by stock layers "
            "and save again, or train the model through a recipe's Python file: --recipe ./mine.py"
        )
    if module.startswith("keras.src.ops") and not is_operation(module, kind):
        raise InputError(
            f"{path}: {name!r} is the operation keras.ops {kind}, which tkit doesn't take: expected mathematics on "
            "tensors whose shape doesn't depend on their values. Replace it by other operations or a stock layer and "
            "save again."
        )
    policy = settings.get("dtype")
    if isinstance(policy, dict) and str(policy.get("class_name")).startswith("Quantized"):
        raise InputError(
            f"{path}: layer {name!r} was quantized by Keras's own model.quantize, whose rounded weights no .tflite "
            "file can hold; tkit quantizes the float model itself. Save that before it is quantized: "
            "model.save('model.keras'); model.quantize('int8')"
        )
    for key in _ACTIVATION_KEYS:
        _name_activation(settings, key, f"{path}: layer {name!r}")


def _name_activation(settings: dict[str, Any], key: str, layer: str) -> None:
    """Replaces an activation that was saved as a user's function by Keras's own of that name."""
    function = settings.get(key)
    if not isinstance(function, dict) or function.get("class_name") != "function":
        return
    saved = function.get("config")
    known = _TENSORFLOW.get(saved, saved) if isinstance(saved, str) else None
    if (
        function.get("module") not in ("builtins", "keras.activations", "keras.ops")
        or known not in _ACTIVATIONS.split()
    ):
        raise InputError(
            f"{layer} has as its {key} the Python function {str(saved)[:200]!r}, of which the file holds only the "
            "name. Use one of Keras's own (activation='relu', 'silu', 'gelu' ...) or operations of keras.ops, and save "
            "again."
        )
    settings[key] = known


def _layers(config: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """The layers of a model's JSON, including those of nested models and wrapped ones."""
    inner = config.get("config")
    if not isinstance(inner, dict):
        return
    wrapped = [inner.get(key) for key in ("layer", "forward_layer", "backward_layer", "cell")]
    for layer in [*_list(inner.get("layers")), *_list(inner.get("cells")), *wrapped]:
        if isinstance(layer, dict):
            yield layer
            yield from _layers(layer)


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []
