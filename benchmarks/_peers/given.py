"""What every tool is given: the trained model in the forms that they read, and the same training batches."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

RATE = 3e-4
"""Peak learning rate of quantization-aware training: tkit's own."""


class Given:
    """The folder that `peers.py` fills: `model.keras`, `float32.tflite`, and the arrays and settings read here."""

    def __init__(self, folder: Path) -> None:
        self.model, self.float32 = folder / "model.keras", folder / "float32.tflite"
        self._folder = folder
        settings = json.loads((folder / "settings.json").read_text())
        self.layers: list[dict[str, Any]] = settings["layers"]
        """In the order of the graph: class, settings that Keras 2 has too, the layers that feed it."""
        self.epochs: int = settings["epochs"]
        self.steps: int = settings["steps"]
        """Of an epoch."""
        self.label_smoothing: float = settings["label_smoothing"]

    @cached_property
    def calibration(self) -> np.ndarray:
        """Raw pixels of training images, float32 [n, height, width, channels]."""
        return np.load(self._folder / "calibration.npy").astype(np.float32)

    @cached_property
    def weights(self) -> dict[str, list[np.ndarray]]:
        """Each layer's arrays, in Keras's order."""
        stored = np.load(self._folder / "weights.npz")
        counts = {layer["name"]: layer["arrays"] for layer in self.layers}
        return {name: [stored[f"{name}:{index}"] for index in range(count)] for name, count in counts.items()}

    def batches(self) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """The training batches of all epochs, augmented: float32 pixels, one-hot labels."""
        images, labels = (np.load(self._folder / f"{name}.npy", mmap_mode="r") for name in ("images", "labels"))
        for pixels, targets in zip(images, labels, strict=True):
            yield np.asarray(pixels, np.float32), np.asarray(targets)

    def examples(self, size: int = 1) -> Iterator[list[np.ndarray]]:
        """The calibration images in batches, each as the only input of a model."""
        for start in range(0, len(self.calibration), size):
            yield [self.calibration[start : start + size]]


def rebuild(keras: Any, given: Given, replaced: dict[str, Callable[[dict[str, Any]], Any]] | None = None) -> Any:
    """The network in another Keras, or of other layers; weights are not set.

    Args:
        keras: the package.
        given: what the network is.
        replaced: by class, what makes another layer of a layer's settings.
    """
    tensors: dict[str, Any] = {}
    for layer in given.layers:
        if layer["class"] == "InputLayer":
            tensors[layer["name"]] = start = keras.Input(layer["config"]["shape"], name=layer["name"])
            continue
        make = (replaced or {}).get(layer["class"]) or (
            lambda config, kind=layer["class"]: getattr(keras.layers, kind)(**config)
        )
        inputs = [tensors[name] for name in layer["inputs"]]
        tensors[layer["name"]] = make(layer["config"])(inputs if len(inputs) > 1 else inputs[0])
    return keras.Model(start, tensors[given.layers[-1]["name"]])


def train(keras: Any, model: Any, given: Given, rate: float = RATE, callbacks: tuple[Any, ...] = ()) -> None:
    """Keras's `fit` on the given batches, in whichever Keras: Adam, the rate falling to 0 along a cosine."""
    import tensorflow as tf

    steps = given.epochs * given.steps
    model.compile(
        keras.optimizers.Adam(keras.optimizers.schedules.CosineDecay(rate, steps)),
        keras.losses.CategoricalCrossentropy(from_logits=True, label_smoothing=given.label_smoothing),
        metrics=["accuracy"],
    )
    pixels, labels = next(given.batches())
    signature = tuple(tf.TensorSpec(array.shape, tf.float32) for array in (pixels, labels))
    batches = tf.data.Dataset.from_generator(given.batches, output_signature=signature).prefetch(4)
    model.fit(batches, epochs=given.epochs, steps_per_epoch=given.steps, callbacks=list(callbacks), verbose=0)


def retrained(
    keras: Any,
    given: Given,
    replaced: dict[str, Callable[[dict[str, Any]], Any]],
    rounded: Callable[[Any], dict[str, Any]],
    *,
    rate: float = RATE,
    callbacks: tuple[Any, ...] = (),
    before: Callable[[Any], None] = lambda model: None,
) -> bytes:
    """The int8 file of the plain network with the weights that other layers were trained to in its place.

    Args:
        keras: Keras 3.
        given: the network.
        replaced: by class, what makes such a layer of a layer's settings.
        rounded: the weights of a trained one by name, as its arithmetic has them.
        rate: the peak learning rate.
        callbacks: of the tool.
        before: what is done to the network before it is trained.
    """
    plain = keras.saving.load_model(given.model, compile=False)
    model = rebuild(keras, given, replaced)
    for layer in plain.layers:
        _fill(model.get_layer(layer.name), _named(layer))
    before(model)
    train(keras, model, given, rate, callbacks)
    for layer in plain.layers:
        trained = model.get_layer(layer.name)
        _fill(layer, rounded(trained) if type(layer).__name__ in replaced else _named(trained))
    return converted(plain, given)


def _named(layer: Any) -> dict[str, Any]:
    return {variable.name: variable for variable in layer.weights}


def _fill(layer: Any, arrays: dict[str, Any]) -> None:
    own = _named(layer)
    for name, array in arrays.items():
        own[name].assign(array)


def converted(model: Any, given: Given) -> bytes:
    """An int8 file, calibrated by TensorFlow's converter."""
    import tensorflow as tf

    converter = tf.lite.TFLiteConverter.from_keras_model(model)
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    converter.representative_dataset = given.examples
    converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
    converter.inference_input_type = converter.inference_output_type = tf.int8
    return converter.convert()
