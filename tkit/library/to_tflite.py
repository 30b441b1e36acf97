"""A model's .tflite file, from memory to memory, with what the model promises verified in the file."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

from tkit._quiet import silenced
from tkit.conversion.config import FORMATS, Export, Format
from tkit_edge.errors import InputError

if TYPE_CHECKING:
    import keras

_DEFAULT = Export()


@silenced()
def to_tflite(
    model: keras.Model,
    format: Format = "float32",
    *,
    calibration: Any = None,
    io: Literal["int8", "uint8", "float32"] = _DEFAULT.io,
    sparse: bool = _DEFAULT.sparse,
) -> bytes:
    """The .tflite file of a model, as bytes; builtin operators only, a batch of 1.

    What `prunable`, `clusterable`, `quantize_aware`, `strip` or `narrow` returned is stripped, and its promises are
    verified in the file: zeros, shared values, codes, integers only. Of a quantization-aware model the int8 file has
    the ranges and codes that were trained.

    Args:
        model: functional or Sequential; or in training, as `prunable` and its kin return it. It isn't changed.
        format: "float32", "float16", "dynamic" (int8 weights), "int8" or "int16x8".
        calibration: of int8 and int16x8, unless the model is quantization-aware: some hundred training examples as
            the model takes them, an array [n, ...], or a list or dictionary of them.
        io: type of an int8 file's float inputs and outputs.
        sparse: store a pruned model's float kernels without their zeros, where that makes the file smaller.

    Raises:
        InputError: a model that can't be had in the format, with the layer; no calibration where it is needed.
        BoundError: the file doesn't keep what the model promises.

    Example:
        >>> Path("model.tflite").write_bytes(tkit.to_tflite(model, "int8", calibration=x_train[:500]))
    """
    from tkit.compressible.opening import opened
    from tkit.library._file import file_of

    if format not in FORMATS:
        raise InputError(f"to_tflite: expected a format among {', '.join(FORMATS)}, received {format!r}.")
    return file_of(opened(model), format, calibration=calibration, io=io, sparse=sparse)
