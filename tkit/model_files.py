"""Trained models on disk: `model.keras` for the user, `architecture.json` + `weights.npz` for tkit itself.

tkit rebuilds a run's model from the JSON, with classes from an allow-list only, and numpy arrays without pickles: no
file in a run folder can run code.
"""

from __future__ import annotations

import io
import json
import tempfile
import zipfile
from pathlib import Path
from typing import Any

import keras
import numpy as np
from pydantic import ValidationError

from tkit import files
from tkit.compress import Kept
from tkit_edge.errors import InputError

# Everything in these namespaces may be rebuilt from JSON, except what wraps code or other files.
_MODULES: dict[str | None, tuple[str, ...] | None] = {
    None: ("__keras_tensor__",),
    "keras": ("Functional", "Sequential", "DTypePolicy"),
    "keras.layers": None,
    "keras.initializers": None,
    "keras.regularizers": None,
    "keras.constraints": None,
    "keras.src.models.functional": ("Functional",),
}
_REFUSED = {"Lambda", "TFSMLayer", "TorchModuleWrapper", "JaxLayer", "FlaxLayer"}


def save(model: keras.Model, folder: Path) -> list[Path]:
    """Writes the three files of a stock Keras functional model; returns their paths."""
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder) as scratch:
        path = Path(scratch) / "model.keras"
        model.save(path)
        files.write_bytes(folder / "model.keras", path.read_bytes())
    files.write_bytes(folder / "architecture.json", model.to_json(indent=1).encode())
    buffer = io.BytesIO()
    np.savez(buffer, **{variable.path: variable.numpy() for variable in model.weights})
    files.write_bytes(folder / "weights.npz", buffer.getvalue())
    return [folder / name for name in ("model.keras", "architecture.json", "weights.npz")]


def load(folder: Path) -> keras.Model:
    """The model that `save` wrote.

    Raises:
        InputError: a file is missing or damaged, or the architecture names a class outside the allow-list.
    """
    try:
        config = json.loads((folder / "architecture.json").read_text(encoding="utf-8"))
        with np.load(folder / "weights.npz", allow_pickle=False) as arrays:
            weights = {name: arrays[name] for name in arrays.files}
    except (OSError, ValueError, zipfile.BadZipFile) as error:
        raise InputError(f"{folder} holds no whole model: {error}") from error
    check_classes(config, folder / "architecture.json")
    model = keras.models.model_from_json(json.dumps(config))
    missing = [variable.path for variable in model.weights if variable.path not in weights]
    if missing:
        raise InputError(f"{folder / 'weights.npz'} lacks {len(missing)} arrays, {missing[0]} first.")
    for variable in model.weights:
        variable.assign(weights[variable.path])
    return model


def load_kept(folder: Path) -> Kept:
    """What holds of the model in a variant's folder; nothing of one that no compression made."""
    path = folder / "compress.json"
    if not path.exists():
        return Kept()
    try:
        return Kept.model_validate_json(path.read_bytes())
    except (OSError, ValidationError) as error:
        raise InputError(f"{path} can't be read: {error}") from error


def check_classes(config: Any, path: Path) -> None:
    """Raises InputError where a Keras JSON config names a class that isn't stock Keras and free of code."""
    if isinstance(config, dict):
        if "class_name" in config:
            name, module = config["class_name"], config.get("module")
            allowed = _MODULES.get(module, ())
            if name in _REFUSED or (allowed is not None and name not in allowed):
                raise InputError(f"{path} names the class {module}.{name}, which tkit doesn't load.")
        for value in config.values():
            check_classes(value, path)
    elif isinstance(config, list):
        for value in config:
            check_classes(value, path)
