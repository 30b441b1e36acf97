"""The limited process in which an untrusted .keras or weights file is opened: `python -m tkit.keras_files.child`.

The file is checked before Keras is even imported. Then Keras gets exactly the JSON that was checked, and only the
arrays of the file, and the graph is rebuilt: nested models are flattened, arithmetic with numbers becomes a Rescaling,
mixed precision becomes float32, and a Rescaling at the start maps raw 0-255 pixels to the model's training range.
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
from tkit.keras_files.formats import PIXELS_CHOICES
from tkit_edge import child
from tkit_edge.errors import InputError
from tkit_edge.pixels import PIXELS, Pixels

if TYPE_CHECKING:
    import keras

MEMORY = 8 << 30
"""Bytes of address space; TensorFlow itself takes 3 GB of it, the largest accepted model 5 times its size."""
MAX_CORES = 4  # each has threads, and each thread takes address space


def read(path: Path, pixels: str | None) -> tuple[dict[str, Any], bytes]:
    """The model in a .keras file, flat and in float32: its JSON and facts, and its arrays' bytes."""
    config, _ = archive.read(path)
    import keras

    from tkit.graph import takes_image
    from tkit.keras_files.graph import activation_of, flat, float32
    from tkit.keras_files.pixels import front, one_scaling, takes_raw_pixels

    try:
        loaded = keras.models.model_from_json(json.dumps(config))
        if loaded.built and loaded.inputs:
            _load_weights(loaded, path)
    except MemoryError:
        raise
    except Exception as error:  # Keras raises any exception on a file that it can't read
        reason = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise InputError(f"{path} cannot be loaded by Keras {keras.__version__}: {reason}") from error
    _check_shapes(loaded, path)
    _check_finite(loaded, path)
    model, raw = float32(flat(loaded)), False
    if takes_image(model):
        raw = takes_raw_pixels(model)
        taken = _pixels(model, pixels, raw, path)
        if taken != PIXELS["0-255"]:
            model = float32(flat(loaded, front(taken)))
        model = one_scaling(model)
    elif pixels is not None:
        taken_shapes = [list(tensor.shape) for tensor in model.inputs]
        raise InputError(f"{path} takes {taken_shapes}; --pixels is for models of one image.")
    else:
        taken = Pixels()
    _check_equal(loaded, model, taken, path)
    answer, data = _described({variable.path: variable.numpy() for variable in model.weights})
    activation = activation_of(model) if len(model.outputs) == 1 else None
    facts = {"architecture": json.loads(model.to_json()), "activation": activation}
    return answer | facts | {"pixels": pixels or "0-255", "raw": raw}, data


def _pixels(model: keras.Model, pixels: str | None, raw: bool, path: Path) -> Pixels:
    """What an image model takes, as it was said or as its first layers show; `raw` where they take raw pixels."""
    if pixels is None and not raw:
        raise InputError(
            f"{path} doesn't show what pixels it takes: it begins with no Rescaling or Normalization of raw pixels. "
            f"Say what it was trained on: {PIXELS_CHOICES}."
        )
    taken, channels = PIXELS[pixels or "0-255"], model.inputs[0].shape[3]
    if taken.bgr and channels != 3:
        raise InputError(f"{path} takes {channels} channel; --pixels {pixels} is of images with three, RGB.")
    return taken


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


def _check_shapes(model: keras.Model, path: Path) -> None:
    """Refuses a model without inputs, or with a tensor of unknown size."""
    if not model.built or not model.inputs:
        raise InputError(f"{path} was saved before it knew its input: add keras.Input((height, width, channels)).")
    inputs, outputs = [tuple(tensor.shape) for tensor in model.inputs], [tuple(item.shape) for item in model.outputs]
    for shape in inputs:
        if None in shape[1:]:
            fixed = (*(224 if size is None else size for size in shape[1:-1]), shape[-1] or 3)
            what = "images" if len(shape) == 4 else "tensors"
            raise InputError(
                f"{path} takes {what} of any size, {list(shape)}; a device needs one. Fix it: inputs = keras.Input("
                f"{fixed}); keras.Model(inputs, model(inputs)).save('fixed.keras')"
            )
    for shape in outputs:
        if None in shape[1:]:
            raise InputError(f"{path} gives {list(shape)}; a device needs outputs of one size.")


def _check_finite(model: keras.Model, path: Path) -> None:
    """Refuses weights that are NaN or infinite."""
    from tkit.keras_internals import all_layers, own_variables

    for layer in all_layers(model, include_self=False):
        for variable in own_variables(layer):
            values = np.asarray(variable.numpy(), np.float32)
            if not np.isfinite(values).all():
                wrong = int(values.size - np.isfinite(values).sum())
                raise InputError(
                    f"{path}: layer {layer.name!r} has {wrong:,} of {values.size:,} values of its {variable.name} that "
                    "are NaN or infinite: its training diverged. Train it again with a lower learning rate, or take "
                    "an earlier checkpoint."
                )


def _check_equal(theirs: keras.Model, ours: keras.Model, pixels: Pixels, path: Path) -> None:
    """Checks that the rebuilt model computes the same as the file's, with a larger tolerance for half precision."""
    import keras

    from tkit.graph import one_or_all, takes_image
    from tkit.keras_internals import functional

    random, image = np.random.default_rng(0), takes_image(ours)
    given = [_example(random, tuple(tensor.shape[1:]), tensor.dtype, 256 if image else 2) for tensor in ours.inputs]
    taken = [_as_trained(values, pixels) for values in given] if image else given
    feed = keras.tree.pack_sequence_as(functional(theirs).input, taken)  # it may be a dictionary
    expected, again = (_numbers(theirs.predict(feed, verbose=0)) for _ in range(2))
    received = _numbers(ours.predict(one_or_all(given), verbose=0))
    example = "image" if image else "example"
    if not np.isfinite(expected).all() or not np.isfinite(received).all():
        raise InputError(
            f"{path} gives NaN or infinite scores for an {example}, though its weights are finite: a division by "
            "zero, a logarithm or an overflow inside. Look at its layers with keras.Model(model.input, layer.output)."
        )
    if not np.array_equal(expected, again):
        raise InputError(
            f"{path} gives different scores each time for the same {example}: a layer such as Dropout is called with "
            "training=True. Call it without, and save again."
        )
    half = any("float16" in str(layer.compute_dtype) for layer in theirs.layers)
    difference = np.abs(received - expected).max()
    if not difference <= (0.1 if half else 1e-3) * max(1.0, np.abs(expected).max()):
        raise RuntimeError(f"The rebuilt model differs from the file's by {difference}: a bug in tkit.")


def _example(random: np.random.Generator, shape: tuple[int, ...], dtype: str, values: int) -> np.ndarray:
    """Two examples of whole numbers below `values`."""
    return random.integers(0, values, (2, *shape)).astype("float32" if "float" in dtype else dtype)


def _as_trained(images: np.ndarray, pixels: Pixels) -> np.ndarray:
    ordered = images[..., ::-1] if pixels.bgr else images
    return ordered * np.asarray(pixels.factor, np.float32) + np.asarray(pixels.offset, np.float32)


def _numbers(outputs: Any) -> np.ndarray:
    """All values of all outputs, float32 [n]."""
    import keras

    return np.concatenate([np.asarray(item, np.float32).ravel() for item in keras.tree.flatten(outputs)])


def main(descriptor: int, path: str) -> None:
    """Confines this process and answers questions about a file until the parent exits."""
    child.confine(MEMORY)
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:MAX_CORES])
    os.environ["CUDA_VISIBLE_DEVICES"] = "-1"  # a GPU's driver alone would fill the address space
    _quiet.silence()

    def answers() -> dict[str, Callable[..., Any]]:
        return {
            "read": lambda pixels: read(Path(path), pixels),
            "weights": lambda name, shape: weights(Path(path), name, tuple(shape)),
        }

    child.serve(descriptor, path, answers)


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2])
