"""Trained models on disk: `model.keras` for the user, `architecture.json` + `weights.npz` for tkit itself.

tkit rebuilds a run's model from the JSON, with classes from an allow-list only, and numpy arrays without pickles: no
file in a run folder can run code.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import keras
import numpy as np

from tkit import files
from tkit.keras_internals import unmade_variables
from tkit.model_classes import check_classes
from tkit_edge.errors import InputError
from tkit_edge.files import npz_bytes, read_arrays
from tkit_edge.json_file import read_json

MAX_ARCHITECTURE_BYTES = 64 * 2**20


def save(model: keras.Model, folder: Path) -> list[Path]:
    """Writes the three files of a stock Keras functional model; returns their paths."""
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder) as scratch:
        path = Path(scratch) / "model.keras"
        model.save(path)
        files.write_bytes(folder / "model.keras", path.read_bytes())
    files.write_bytes(folder / "architecture.json", model.to_json(indent=1).encode())
    weights = {variable.path: variable.numpy() for variable in model.weights}
    files.write_bytes(folder / "weights.npz", npz_bytes(weights, pack=False))
    return [folder / name for name in ("model.keras", "architecture.json", "weights.npz")]


def load(folder: Path) -> keras.Model:
    """The model that `save` wrote.

    Raises:
        InputError: a file is missing, damaged, or larger than it could be; the architecture names a class outside the
            allow-list, or describes another model than the one whose weights are there.
    """
    architecture, path = folder / "architecture.json", folder / "weights.npz"
    config = read_json(architecture, MAX_ARCHITECTURE_BYTES, finite=False)
    # As save wrote it, nothing in it is packed: what it unpacks to is less than its own size.
    weights = read_arrays(path, str(path), path.stat().st_size if path.is_file() else 0)
    return rebuild(config, weights, architecture)


def rebuild(config: Any, weights: Mapping[str, np.ndarray], path: Path) -> keras.Model:
    """The model of a Keras JSON config, with its weights by their paths; `path` is what messages call them.

    Raises:
        InputError: the config names a class outside the allow-list or describes no model, or an array is missing or
            doesn't fit.
    """
    check_classes(config, path)
    with unmade_variables() as make:
        try:
            model = keras.models.model_from_json(json.dumps(config))
            if not isinstance(model, keras.Model):
                raise TypeError(f"it gives a {type(model).__name__}")
        except Exception as error:  # Keras, and TensorFlow below it, raise anything for a config that they didn't write
            first = str(error).strip().split("\n")[0]
            raise InputError(f"{path} describes no model that Keras can build: {first}") from error
        for variable in model.weights:
            _check_array(weights.get(variable.path), variable, path)
        make()
    for variable in model.weights:
        variable.assign(weights[variable.path])
    return model


def _check_array(array: np.ndarray | None, variable: keras.Variable, path: Path) -> None:
    shape = tuple(variable.shape)
    if array is None or array.shape != shape or array.dtype.name != variable.dtype:
        received = "none" if array is None else f"{array.dtype} {list(array.shape)}"
        raise InputError(
            f"{path}: expected an array {variable.path} of {variable.dtype} {list(shape)}, as the model has it, "
            f"received {received}."
        )
