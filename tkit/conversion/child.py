"""The child process of `process`: converts SavedModels to .tflite and runs the files. `python -m
tkit.conversion.child`."""

from __future__ import annotations

import os
import resource
import sys
import warnings
from collections.abc import Iterator
from typing import Any

import numpy as np

from tkit import _quiet
from tkit_edge import child, runtime
from tkit_edge.tensors import TensorSpec, bound, packed, unpacked


def convert(
    folder: str, fmt: str, io: str, calibration: dict[str, str] | None, sparse: bool
) -> tuple[str | None, bytes]:
    """The .tflite file of a SavedModel; on failure only the converter's error.

    Args:
        folder: the SavedModel's.
        fmt: the format.
        io: "int8", "uint8" or "float32": type of the int8 file's input and output.
        calibration: by an input's name the path of an array [n, ...]; None for a fake-quantized graph.
        sparse: whether kernels with many zeros are stored without them.
    """
    import tensorflow as tf

    converter = tf.lite.TFLiteConverter.from_saved_model(folder)
    if fmt != "float32":
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
    if sparse:
        converter.optimizations = [*converter.optimizations, tf.lite.Optimize.EXPERIMENTAL_SPARSITY]
    if fmt == "float16":
        converter.target_spec.supported_types = [tf.float16]
    if fmt in ("int8", "int16x8") and calibration is not None:
        narrow = tf.lite.OpsSet.EXPERIMENTAL_TFLITE_BUILTINS_ACTIVATIONS_INT16_WEIGHTS_INT8
        converter.representative_dataset = lambda: _samples(calibration)
        converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8 if fmt == "int8" else narrow]
    if fmt == "int8":
        converter.inference_input_type = converter.inference_output_type = tf.as_dtype(io)
    try:
        return None, converter.convert()
    except Exception as error:  # the converter raises anything for what it can't convert
        return str(error) or type(error).__name__, b""


def _samples(paths: dict[str, str]) -> Iterator[dict[str, np.ndarray] | list[np.ndarray]]:
    arrays = {name: np.load(path, mmap_mode="r") for name, path in paths.items()}
    for number in range(len(next(iter(arrays.values())))):
        example = {name: _as_float(array[number][None]) for name, array in arrays.items()}
        yield example if len(example) > 1 else list(example.values())


def _as_float(values: np.ndarray) -> np.ndarray:
    """Pixels as the graph takes them; numbers of words and the like stay integers."""
    return values.astype(np.float32) if values.dtype in (np.uint8, np.float32) else np.asarray(values)


class Files:
    """The most recently opened .tflite file."""

    def open(self, payload: bytes) -> None:
        """Loads a file as the device does."""
        self.model = runtime.Model(payload)

    def predict(self, arrays: list[Any], inputs: list[Any], outputs: list[Any], payload: bytes) -> tuple[Any, bytes]:
        """Its outputs for packed arrays, both by the names of these tensors."""
        taken, given = (
            [TensorSpec(name, tuple(shape), dtype) for name, shape, dtype in side] for side in (inputs, outputs)
        )
        return packed(bound(self.model, taken, given)(unpacked(arrays, payload)))


def main(descriptor: int) -> None:
    """Answers questions until the parent exits."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, resource.getrlimit(resource.RLIMIT_CORE)[1]))
    os.environ["CUDA_VISIBLE_DEVICES"] = "-1"  # converting takes no GPU, and its memory is the parent's
    warnings.simplefilter("ignore")
    _quiet.silence()
    import tensorflow as tf

    tf.lite.TFLiteConverter  # noqa: B018 - triggers lazy loading while nobody waits for it yet
    files = Files()
    child.serve(descriptor, "The model", lambda: {"convert": convert, "open": files.open, "predict": files.predict})


if __name__ == "__main__":
    main(int(sys.argv[1]))
