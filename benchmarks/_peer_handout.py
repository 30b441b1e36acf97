"""What peers get of a run: its model in the forms that they read, calibration images, and the training batches."""

from __future__ import annotations

import json
from pathlib import Path
from shutil import copyfile
from typing import Any

import numpy as np

_SHARED = (
    *("name", "filters", "units", "kernel_size", "strides", "padding", "dilation_rate", "use_bias", "activation"),
    *("axis", "momentum", "epsilon", "center", "scale", "offset", "pool_size"),
)
"""Settings that mean the same in Keras 2 and in Keras 3."""
CALIBRATION = 500
"""Training images, stratified by class: what tkit's own steps use."""


def hand_out(run: Any, folder: Path, epochs: int) -> None:
    """Fills `folder` for `_peers.given.Given`; the test images stay here.

    Args:
        run: a trained classifier of images, whose float32 file is exported.
        folder: is made.
        epochs: of the training that sides add.
    """
    import keras

    from tkit.compression.workbench import Workbench
    from tkit.stages._common import data_of
    from tkit.stages._compress import settings_of

    folder.mkdir(parents=True, exist_ok=True)
    float_folder = run.variant_folder("float")
    copyfile(float_folder / "model.keras", folder / "model.keras")
    copyfile(float_folder / "export" / "model-float32.tflite", folder / "float32.tflite")
    work = Workbench(**settings_of(run, data_of(run)))
    (images,) = work.calibration(CALIBRATION).values()
    np.save(folder / "calibration.npy", images)
    _save_batches(work, folder, epochs)
    model = keras.saving.load_model(float_folder / "model.keras", compile=False)
    weights = {
        f"{layer.name}:{index}": array for layer in model.layers for index, array in enumerate(layer.get_weights())
    }
    np.savez(folder / "weights.npz", **weights)
    settings = {
        "layers": described(model),
        "epochs": epochs,
        "steps": work.steps_per_epoch,
        "label_smoothing": run.recipe.task.label_smoothing,
    }
    (folder / "settings.json").write_text(json.dumps(settings, indent=1))


def described(model: Any) -> list[dict[str, Any]]:
    """A functional model's layers in order: class, settings that Keras 2 has too, and the layers that feed each."""
    from tkit.keras_internals import nodes, producer

    start = model.inputs[0]
    given = {"shape": list(start.shape[1:])}
    rows = [{"class": "InputLayer", "name": producer(start).name, "config": given, "inputs": [], "arrays": 0}]
    for node in nodes(model):
        layer = node.operation
        config = {key: value for key, value in layer.get_config().items() if key in _SHARED}
        inputs = [producer(tensor).name for tensor in node.input_tensors]
        rows.append(
            {
                "class": type(layer).__name__,
                "name": layer.name,
                "config": config,
                "inputs": inputs,
                "arrays": len(layer.get_weights()),
            }
        )
    return rows


def _save_batches(work: Any, folder: Path, epochs: int) -> None:
    """The very batches that tkit's own steps train on, as they are after augmentation: one epoch after the other."""
    steps = epochs * work.steps_per_epoch
    pixels, labels = work.batches.batch(0, 0)
    images = np.lib.format.open_memmap(folder / "images.npy", "w+", pixels.dtype.as_numpy_dtype, (steps, *pixels.shape))
    targets = np.lib.format.open_memmap(folder / "labels.npy", "w+", np.float32, (steps, *labels.shape))
    for index, (pixels, labels) in enumerate(work.batches.dataset().take(steps)):
        images[index], targets[index] = pixels.numpy(), labels.numpy()
