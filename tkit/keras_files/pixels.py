"""Merges a model's initial arithmetic on pixels into one layer, and its channel order into the first kernel.

Keras Applications' `preprocess_input` called inside a model is six operations on separate channels; each would be
rounded separately in int8, and pruned as if it had been learned.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from itertools import islice
from typing import Any, NamedTuple

import keras
import numpy as np
from keras import Operation, layers

from tkit.augmentation import passes_at_inference
from tkit.keras_files.graph import float32
from tkit.keras_internals import Flip, nodes
from tkit_edge.pixels import Pixels

_SCALINGS = (layers.Rescaling, layers.Normalization)
_MAX_OPERATIONS = 20  # that are examined; preprocess_input has up to 7
# Layers that treat channels separately and alike: a reversal commutes with them.
_CHANNELWISE = (
    layers.ZeroPadding2D, layers.Cropping2D, layers.CenterCrop, layers.Resizing, layers.MaxPooling2D,
    layers.AveragePooling2D, layers.UpSampling2D,
)  # fmt: skip


class _Arithmetic(NamedTuple):
    """A model's first computation on each pixel: pixel [channels in] @ matrix + offset."""

    start: keras.KerasTensor
    end: keras.KerasTensor
    operations: list[Operation]
    matrix: np.ndarray
    offset: np.ndarray


def front(pixels: Pixels) -> list[Operation]:
    """The operations that map raw 0-255 pixels to the range that a model was trained on."""
    found: list[Operation] = [layers.Rescaling(_plain(pixels.factor), _plain(pixels.offset), name="pixels")]
    if pixels == Pixels():
        return []
    if pixels.bgr:
        found.insert(0, Flip(axis=-1, name="bgr"))
    return found


def one_scaling(model: keras.Model) -> keras.Model:
    """A flat float32 model whose leading arithmetic is one layer: a Rescaling, or a frozen 1x1 convolution that mixes
    channels; a pure permutation of channels moves into the next convolution's kernel where that is its only consumer.

    `model` itself if it already begins with one such layer, or with none.
    """
    found = _leading(model)
    if found is None or (len(found.operations) == 1 and isinstance(found.operations[0], _SCALINGS)):
        return model
    start, end, operations, matrix, offset = found
    name, order = operations[-1].name, _order(matrix)
    convolution = None if order is None else _only_convolution(model, end)
    ordered = order is not None and np.array_equal(order, np.arange(len(order)))
    if order is None or not (ordered or convolution):
        return _with_operation(model, start, end, _mixing(name, matrix, offset))
    # Channel i of the arithmetic's result is the image's channel order[i]; the scaling is done in the image's order.
    back = np.argsort(order)
    scale, offset = matrix.sum(axis=1), offset[back]
    made = _with_operation(model, start, end, layers.Rescaling(_plain(scale), _plain(offset), name=name))
    if not ordered:
        kernel = made.get_layer(convolution).kernel
        kernel.assign(kernel.numpy()[:, :, back])
    return made


def takes_raw_pixels(model: keras.Model) -> bool:
    """Whether a flat float32 model's first operations are plausible for pixels up to 255 rather than up to 1."""
    found = _leading(model)
    if found is not None:
        return bool(np.abs(found.matrix).max() < 0.1 or np.abs(found.offset).max() > 10)
    # Every pixel of the image has its own.
    first = next((operations[0] for _, _, operations in _arithmetic(model)), None)
    return isinstance(first, layers.Normalization) and bool(np.max(np.asarray(first.variance)) > 10)


def _leading(model: keras.Model) -> _Arithmetic | None:
    """The longest initial part of a model that treats all pixels alike."""
    for start, end, operations in reversed(list(islice(_arithmetic(model), _MAX_OPERATIONS))):
        affine = _affine(start, end)
        if affine is not None:
            return _Arithmetic(start, end, operations, *affine)
    return None


def _plain(value: Any) -> Any:
    """One number if all channels have the same; lists otherwise, which a layer's config can hold."""
    values = [float(item) for item in np.ravel(value)]
    return values[0] if len(set(values)) == 1 else values


def _arithmetic(model: keras.Model) -> Iterator[tuple[keras.KerasTensor, keras.KerasTensor, list[Operation]]]:
    """The initial arithmetic of a model, after augmentation, as a series of ever longer parts.

    Each part is its first and last tensor, of one height and width, and its operations; everything after it depends
    on the pixels only through the last tensor.
    """
    ordered, start = list(nodes(model)), model.inputs[0]
    while True:
        users = _users(ordered, start)
        if len(users) != 1 or not passes_at_inference(users[0].operation):
            break
        start = users[0].outputs[0]
    inside, reached = [], {id(start)}
    for node in ordered:
        bare = not isinstance(node.operation, layers.Layer) or isinstance(node.operation, _SCALINGS)
        if not bare or not all(id(item) in reached for item in node.input_tensors):
            continue
        inside.append(node)
        before = reached
        reached = reached | {id(item) for item in node.outputs}
        outside = [item for other in ordered if other not in inside for item in other.input_tensors]
        result = node.outputs[0]
        alone = not any(id(item) in before for item in [*outside, *model.outputs])
        if alone and len(result.shape) == 4 and result.shape[1:3] == start.shape[1:3]:
            yield start, result, [item.operation for item in inside]


def _users(ordered: list[Any], tensor: keras.KerasTensor) -> list[Any]:
    return [node for node in ordered if any(item is tensor for item in node.input_tensors)]


def _affine(start: keras.KerasTensor, end: keras.KerasTensor) -> tuple[np.ndarray, np.ndarray] | None:
    """Matrix [channels in, channels out] and offset that map each pixel of `start` to that of `end`, or None."""
    part, channels = keras.Model(start, end), start.shape[-1]
    corners = 255 * np.concatenate([np.zeros((1, channels)), np.eye(channels)])  # black, and each channel alone

    def run(pixels: np.ndarray) -> np.ndarray:
        images = np.broadcast_to(pixels, (*pixels.shape[:1], *start.shape[1:])).astype(np.float32)
        return np.asarray(part.predict(images, verbose=0), np.float64)

    found = run(corners[:, None, None])[:, 0, 0]
    matrix, offset = (found[1:] - found[0]) / 255, found[0]
    image = np.random.default_rng(0).integers(0, 256, (1, *start.shape[1:]))
    wanted = run(image)
    error = np.abs(image @ matrix + offset - wanted).max()
    return (matrix, offset) if error <= 1e-4 * max(1.0, np.abs(wanted).max()) else None


def _order(matrix: np.ndarray) -> np.ndarray | None:
    """For each output channel the one input channel that it depends on; None if channels are mixed."""
    used = matrix != 0
    if matrix.shape[0] != matrix.shape[1] or not (used.sum(0) == 1).all() or not (used.sum(1) == 1).all():
        return None
    return np.argmax(used, axis=0)


def _mixing(name: str, matrix: np.ndarray, offset: np.ndarray) -> layers.Layer:
    layer = layers.Conv2D(matrix.shape[1], 1, use_bias=bool(offset.any()), trainable=False, name=name)
    layer.build((None, None, None, matrix.shape[0]))
    layer.set_weights([matrix[None, None], offset][: len(layer.weights)])
    return layer


def _only_convolution(model: keras.Model, tensor: keras.KerasTensor) -> str | None:
    """The convolution that is the only consumer of `tensor`, except for layers before it that treat channels alike."""
    ordered = list(nodes(model))
    calls = Counter(node.operation.name for node in ordered)
    while True:
        users = _users(ordered, tensor)
        if len(users) != 1 or calls[users[0].operation.name] != 1:
            return None
        layer = users[0].operation
        if type(layer) is layers.Conv2D and layer.groups == 1 and layer.data_format == "channels_last":
            return str(layer.name)
        if not isinstance(layer, _CHANNELWISE) and not passes_at_inference(layer):
            return None
        tensor = users[0].outputs[0]


def _with_operation(
    model: keras.Model, start: keras.KerasTensor, end: keras.KerasTensor, operation: Operation
) -> keras.Model:
    """The model with `operation` between the two tensors instead of what was there."""
    tensors = {id(model.inputs[0]): model.inputs[0], id(start): start, id(end): operation(start)}
    for node in nodes(model):
        if all(id(item) in tensors for item in node.input_tensors) and id(node.outputs[0]) not in tensors:
            arguments, keywords = node.arguments.fill_in(tensors)
            made = keras.tree.flatten(node.operation(*arguments, **keywords))
            tensors.update((id(old), new) for old, new in zip(node.outputs, made, strict=True))
    return float32(keras.Model(model.inputs, tensors[id(model.outputs[0])], name=model.name))
