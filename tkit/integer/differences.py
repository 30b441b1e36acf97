"""Finds the operators of an int8 file that the runtime's kernels compute differently from exact integer arithmetic.

Each operator is judged alone: `tkit.integer.model`'s kernel gets the runtime's own inputs of it, so that a difference
doesn't propagate to the operators after it.
"""

from __future__ import annotations

import warnings
from typing import Any, NamedTuple

import numpy as np

from tkit.integer.model import IntegerModel, check_images
from tkit_edge import runtime
from tkit_edge.errors import InputError

IMAGES = 50  # at once: every tensor of every one of them is kept


class OperatorDifference(NamedTuple):
    """How far the runtime's outputs of one operator are from the exact ones."""

    operator: int
    """Its index, from 0, in the file's order."""
    name: str
    tensor: str
    """Its output's name."""
    differing: float
    """Share of the output's codes that differ."""
    largest: int
    """Largest difference, in codes."""


def compare(
    data: bytes,
    images: np.ndarray,
    kernels: str = "reference",
    name: str = "the model",
    arithmetic: str = "reference",
) -> list[OperatorDifference]:
    """One entry per operator, in the file's order, including equal ones.

    Args:
        data: an int8 .tflite file's bytes.
        images: uint8 [n, height, width, channels], raw 0-255 pixels, at least one.
        kernels: the runtime's, "reference", "builtin" or "xnnpack"; the last runs each operator as a separate
            delegate, because its inner tensors can't be read otherwise.
        name: the file's name in error messages.
        arithmetic: the arithmetic that it is compared with, "reference" or "xnnpack".

    Raises:
        InputError: as `IntegerModel`; or no images, or of another size; or unknown kernels.

    Example: `[item for item in compare(data, images, "xnnpack") if item.differing]`
    """
    model = IntegerModel(data, name, arithmetic)
    graph = model.graph
    check_images(images, graph.tensors[graph.inputs[0]].shape[1:], name)
    if not len(images):
        raise InputError("Expected at least one image to compare on, received none.")
    interpreter = _preserving(data, kernels, name)
    differing = np.zeros(len(graph.operators), np.int64)
    largest = np.zeros(len(graph.operators), np.int64)
    for start in range(0, len(images), IMAGES):
        theirs = _tensors(interpreter, model, images[start : start + IMAGES])
        for index, operator in enumerate(graph.operators):
            far = _steps(model.run(index, theirs), theirs[operator.outputs[0]])
            differing[index] += np.count_nonzero(far)
            largest[index] = max(largest[index], far.max())
    outputs = [graph.tensors[operator.outputs[0]] for operator in graph.operators]
    return [
        OperatorDifference(
            index, operator.name, output.name, int(differing[index]) / (output.size * len(images)), int(largest[index])
        )
        for index, (operator, output) in enumerate(zip(graph.operators, outputs, strict=True))
    ]


def _preserving(data: bytes, kernels: str, name: str) -> Any:
    """An interpreter whose inner tensors can be read."""
    if kernels not in runtime.KERNELS:
        raise InputError(f"Unknown kernels {kernels!r}: expected one of {', '.join(runtime.KERNELS)}.")
    module = runtime.find().module
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that this takes memory
        made = module.Interpreter(
            model_content=data,
            num_threads=1,
            experimental_op_resolver_type=module.OpResolverType[runtime.KERNELS[kernels]],
            experimental_preserve_all_tensors=True,
        )
    try:
        made.allocate_tensors()
    except (ValueError, RuntimeError) as error:
        raise InputError(f"{name} cannot be run by this runtime: {error}") from error
    return made


def _tensors(interpreter: Any, model: IntegerModel, images: np.ndarray) -> dict[int, np.ndarray]:
    """The runtime's tensors for images, by their index, [n, ...]."""
    numbers = [number for operator in model.graph.operators for number in operator.outputs]
    source, codes = model.graph.inputs[0], model.codes(images)
    kept: dict[int, list[np.ndarray]] = {number: [] for number in numbers}
    for image in codes:
        interpreter.set_tensor(source, image[None])
        interpreter.invoke()
        for number, arrays in kept.items():
            arrays.append(interpreter.get_tensor(number))
    return {source: codes, **{number: np.concatenate(arrays) for number, arrays in kept.items()}}


def _steps(ours: np.ndarray, theirs: np.ndarray) -> np.ndarray:
    """Difference in codes; for floats 1 where they aren't equal."""
    if ours.dtype.kind == "f":
        return (ours != theirs).astype(np.int64)
    return np.abs(ours.astype(np.int64) - theirs)
