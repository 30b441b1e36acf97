"""A model's .tflite file, from memory to memory, with what the model promises verified in the file."""

from __future__ import annotations

from typing import Any, Literal

import keras

from tkit._quiet import silenced
from tkit.compressible.opening import opened
from tkit.compression.proofs import proofs
from tkit.conversion import finite
from tkit.conversion.config import FORMATS, Export, Format
from tkit.conversion.converter import INTEGERS, ONE_OUTPUT, Converter
from tkit.conversion.quantized import converted
from tkit.graph import of_size
from tkit.keras_internals import producer
from tkit.library.inputs import calibration_arrays
from tkit.promises import State
from tkit_edge.errors import BoundError, InputError
from tkit_edge.tensors import Arrays, TensorSpec

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
    if format not in FORMATS:
        raise InputError(f"to_tflite: expected a format among {', '.join(FORMATS)}, received {format!r}.")
    state = opened(model)
    return file_of(state, format, calibration=calibration, io=io, sparse=sparse)


def file_of(state: State, format: Format, *, calibration: Any, io: str, sparse: bool) -> bytes:
    """The file of a flat model with its promises; arguments and errors as of `to_tflite`."""
    needed = format in INTEGERS and not (format == "int8" and state.kept.quantized is not None)
    if needed and calibration is None:
        aware = " or take the model through tkit.quantize_aware first," if format == "int8" else ""
        raise InputError(
            f"to_tflite: {format} needs examples that its ranges are found on: calibration=x_train[:500], in the form "
            f"that the model takes,{aware} as random numbers would give ranges that fit no data."
        )
    examples = None if calibration is None else calibration_arrays(state.model, calibration)
    state = state._replace(model=_sized(state.model, examples))
    finite.check_weights(state.model)
    with Converter(state.model, examples if needed else None, io=io, outputs=output_names(state.model)) as convert:
        data = converted(convert, format, state.kept, sparse=sparse)
    broken = [proof for proof in proofs(data, format, state.kept, state.model) if not proof.holds]
    if broken:
        lines = "".join(f"\n  {item.layer}: promised {item.promise}, found {item.found}" for item in broken)
        raise BoundError(
            f"The {format} file doesn't keep what the model promises:{lines}\nWeights that were changed after "
            "tkit.strip have lost it: train the model before it is stripped.",
            {"broken": [proof._asdict() for proof in broken]},
        )
    return data


def output_names(model: keras.Model) -> list[str]:
    """What a file's outputs are called."""
    names = [str(producer(tensor).name) for tensor in model.outputs]
    return names if len(names) > 1 else list(ONE_OUTPUT)


def _sized(model: keras.Model, examples: Arrays | None) -> keras.Model:
    """The model for inputs of the examples' size, where its own is open.

    Raises:
        InputError: there are no examples.
    """
    open_ = [tensor for tensor in model.inputs if None in tensor.shape[1:]]
    if not open_:
        return model
    if examples is None:
        raise InputError(
            f"{model.name!r} takes tensors of any size, {list(open_[0].shape)}; a device needs one. Give examples "
            "(calibration=x), or fix it: keras.Model(inputs, model(inputs)) with inputs = keras.Input(SHAPE)."
        )
    specs = [
        TensorSpec(name, array.shape[1:], tensor.dtype)
        for (name, array), tensor in zip(examples.items(), model.inputs, strict=True)
    ]
    return of_size(model, specs)
