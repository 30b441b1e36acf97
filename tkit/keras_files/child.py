"""The limited process in which an untrusted .keras or weights file is opened: `python -m tkit.keras_files.child`.

The file is checked before Keras is even imported. Then Keras gets exactly the JSON that was checked, and only the
arrays of the file, and the model is brought to its normal form (`normal_form`).
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from tkit import _quiet
from tkit.keras_files import archive
from tkit_edge import child
from tkit_edge.errors import InputError

if TYPE_CHECKING:
    import keras

MEMORY = 8 << 30
"""Bytes of address space; TensorFlow itself takes 3 GB of it, the largest accepted model 5 times its size."""
MAX_CORES = 4  # each has threads, and each thread takes address space


def read(path: Path, pixels: str | None, images: bool = True) -> tuple[dict[str, Any], bytes]:
    """The normal form of the model in a .keras file: its JSON and facts, and its arrays' bytes."""
    config, _ = archive.read(path)
    import keras

    from tkit.keras_files.normal_form import normal_form

    try:
        loaded = keras.models.model_from_json(json.dumps(config))
        if loaded.built and loaded.inputs:
            _load_weights(loaded, path)
    except MemoryError:
        raise
    except Exception as error:  # Keras raises any exception on a file that it can't read
        reason = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise InputError(f"{path} cannot be loaded by Keras {keras.__version__}: {reason}") from error
    model, activation, taken, raw = normal_form(loaded, pixels, str(path), images=images)
    answer, data = _described({variable.path: variable.numpy() for variable in model.weights})
    facts = {"architecture": json.loads(model.to_json()), "activation": activation}
    return answer | facts | {"pixels": taken, "raw": raw}, data


def _load_weights(model: keras.Model, path: Path) -> None:
    """As Keras does, which recognizes formats by lower-case suffixes."""
    with tempfile.TemporaryDirectory() as folder:
        named = Path(folder) / f"model{path.suffix.lower()}"
        named.symlink_to(path.resolve())
        model.load_weights(named)


def weights(path: Path, name: str, shape: tuple[int, int, int]) -> tuple[dict[str, Any], bytes]:
    """The arrays of a weights file for a network of Keras Applications, in the network's order, and what was skipped.

    Args:
        path: a .weights.h5, .h5 or .keras file.
        name: the network's, as `keras.applications` calls it.
        shape: height, width and channels of its input.

    Raises:
        InputError: anything but plain arrays in the file, or arrays that don't fit.
    """
    archive.check_weights(path)
    import keras

    network = getattr(keras.applications, name)(include_top=False, weights=None, input_shape=shape)
    try:
        with warnings.catch_warnings(record=True) as skipped:
            warnings.simplefilter("always")
            network.load_weights(path)
        if skipped:  # Keras leaves layers that the file lacks unchanged
            raise ValueError(skipped[0].message)
    except MemoryError:
        raise
    except Exception as error:  # Keras and h5py raise any exception on a file that doesn't fit
        arrays = network.get_weights()
        raise InputError(
            f"model.weights={path} doesn't fit {name}: {' '.join(str(error).split())[:400]} Expected what "
            f"keras.applications.{name}(include_top=False).save_weights(PATH) writes: {len(arrays)} arrays, the first "
            f"of shape {arrays[0].shape}."
        ) from error
    return _described({variable.path: variable.numpy() for variable in network.weights})


def _described(arrays: dict[str, np.ndarray]) -> tuple[dict[str, Any], bytes]:
    """Names, dtypes and shapes of arrays, and their bytes."""
    described = [[name, array.dtype.str, array.shape] for name, array in arrays.items()]
    return {"weights": described}, b"".join(array.tobytes() for array in arrays.values())


def main(descriptor: int, path: str) -> None:
    """Confines this process and answers questions about a file until the parent exits."""
    child.confine(MEMORY)
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:MAX_CORES])
    os.environ["CUDA_VISIBLE_DEVICES"] = "-1"  # a GPU's driver alone would fill the address space
    _quiet.silence()

    def answers() -> dict[str, Callable[..., Any]]:
        return {
            "read": lambda pixels, images: read(Path(path), pixels, images),
            "weights": lambda name, shape: weights(Path(path), name, tuple(shape)),
        }

    child.serve(descriptor, path, answers)


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2])
