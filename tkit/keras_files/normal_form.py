"""The normal form of a Keras model: flat, in float32, an image as raw 0-255 pixels; checked to compute the same.

Nested models are flattened, arithmetic with numbers becomes a Rescaling, mixed precision becomes float32, and a
Rescaling at the start maps raw 0-255 pixels to the model's training range.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import keras
import numpy as np

from tkit.graph import one_or_all, takes_image
from tkit.keras_files.formats import PIXELS_CHOICES
from tkit.keras_files.graph import activation_of, flat, float32
from tkit.keras_files.pixels import front, one_scaling, takes_raw_pixels
from tkit.keras_internals import all_layers, functional, own_variables
from tkit_edge.errors import InputError
from tkit_edge.pixels import PIXELS, Pixels


class NormalForm(NamedTuple):
    """A model in its normal form, with weights of its own."""

    model: keras.Model
    activation: str | None
    """ "softmax" or "sigmoid" where the only output ends in it."""
    pixels: str
    """Of a model of images: the pixel range that it was trained on."""
    raw: bool
    """Whether the model itself begins with a scaling of raw pixels."""


def normal_form(loaded: keras.Model, pixels: str | None, where: str, *, images: bool = True) -> NormalForm:
    """The normal form of a functional or Sequential model, whose operations may get other names.

    Args:
        loaded: the model; built.
        pixels: of a model of images, what it was trained on; None where its first layers show it.
        where: what messages call the model.
        images: whether a model of one image takes raw pixels then; otherwise it takes its own tensor as before.

    Raises:
        InputError: tensors of unknown size, weights or outputs that aren't finite, outputs that differ from call to
            call, or `pixels` that has to be given or can't be.
    """
    check_shapes(loaded, where)
    _check_finite(loaded, where)
    model, raw, taken = float32(flat(loaded)), False, Pixels()
    images = images and takes_image(model)
    if images:
        raw = takes_raw_pixels(model)
        taken = _pixels(model, pixels, raw, where)
        if taken != PIXELS["0-255"]:
            model = float32(flat(loaded, front(taken)))
        model = one_scaling(model)
    elif pixels is not None:
        taken_shapes = [list(tensor.shape) for tensor in model.inputs]
        raise InputError(f"{where} takes {taken_shapes}; --pixels is for models of one image.")
    _check_equal(loaded, model, taken, where, images)
    activation = activation_of(model) if len(model.outputs) == 1 else None
    return NormalForm(model, activation, pixels or "0-255", raw)


def _pixels(model: keras.Model, pixels: str | None, raw: bool, where: str) -> Pixels:
    """What an image model takes, as it was said or as its first layers show; `raw` where they take raw pixels."""
    if pixels is None and not raw:
        raise InputError(
            f"{where} doesn't show what pixels it takes: it begins with no Rescaling or Normalization of raw pixels. "
            f"Say what it was trained on: {PIXELS_CHOICES}."
        )
    taken, channels = PIXELS[pixels or "0-255"], model.inputs[0].shape[3]
    if taken.bgr and channels != 3:
        raise InputError(f"{where} takes {channels} channel; --pixels {pixels} is of images with three, RGB.")
    return taken


def check_shapes(model: keras.Model, where: str) -> None:
    """Raises InputError for a model without inputs, or with a tensor of unknown size."""
    if not model.built or not model.inputs:
        raise InputError(f"{where} was saved before it knew its input: add keras.Input((height, width, channels)).")
    inputs, outputs = [tuple(tensor.shape) for tensor in model.inputs], [tuple(item.shape) for item in model.outputs]
    for shape in inputs:
        if None in shape[1:]:
            fixed = (*(224 if size is None else size for size in shape[1:-1]), shape[-1] or 3)
            what = "images" if len(shape) == 4 else "tensors"
            raise InputError(
                f"{where} takes {what} of any size, {list(shape)}; a device needs one. Fix it: inputs = keras.Input("
                f"{fixed}); keras.Model(inputs, model(inputs)).save('fixed.keras')"
            )
    for shape in outputs:
        if None in shape[1:]:
            raise InputError(f"{where} gives {list(shape)}; a device needs outputs of one size.")


def _check_finite(model: keras.Model, where: str) -> None:
    """Refuses weights that are NaN or infinite."""
    for layer in all_layers(model, include_self=False):
        for variable in own_variables(layer):
            values = np.asarray(variable.numpy(), np.float32)
            if not np.isfinite(values).all():
                wrong = int(values.size - np.isfinite(values).sum())
                raise InputError(
                    f"{where}: layer {layer.name!r} has {wrong:,} of {values.size:,} values of its {variable.name} "
                    "that are NaN or infinite: its training diverged. Train it again with a lower learning rate, or "
                    "take an earlier checkpoint."
                )


def _check_equal(theirs: keras.Model, ours: keras.Model, pixels: Pixels, where: str, image: bool) -> None:
    """Checks that the rebuilt model computes the same as the user's, with a larger tolerance for half precision."""
    random = np.random.default_rng(0)
    given = [_example(random, tuple(tensor.shape[1:]), tensor.dtype, 256 if image else 2) for tensor in ours.inputs]
    taken = [_as_trained(values, pixels) for values in given] if image else given
    feed = keras.tree.pack_sequence_as(functional(theirs).input, taken)  # it may be a dictionary
    expected, again = (_numbers(theirs.predict(feed, verbose=0)) for _ in range(2))
    received = _numbers(ours.predict(one_or_all(given), verbose=0))
    example = "image" if image else "example"
    if not np.isfinite(expected).all() or not np.isfinite(received).all():
        raise InputError(
            f"{where} gives NaN or infinite scores for an {example}, though its weights are finite: a division by "
            "zero, a logarithm or an overflow inside. Look at its layers with keras.Model(model.input, layer.output)."
        )
    if not np.array_equal(expected, again):
        raise InputError(
            f"{where} gives different scores each time for the same {example}: a layer such as Dropout is called with "
            "training=True. Call it without, and save again."
        )
    half = any("float16" in str(layer.compute_dtype) for layer in theirs.layers)
    difference = np.abs(received - expected).max()
    if not difference <= (0.1 if half else 1e-3) * max(1.0, np.abs(expected).max()):
        raise RuntimeError(f"The rebuilt model differs from {where} by {difference}: a bug in tkit.")


def _example(random: np.random.Generator, shape: tuple[int, ...], dtype: str, values: int) -> np.ndarray:
    """Two examples of whole numbers below `values`."""
    return random.integers(0, values, (2, *shape)).astype("float32" if "float" in dtype else dtype)


def _as_trained(images: np.ndarray, pixels: Pixels) -> np.ndarray:
    ordered = images[..., ::-1] if pixels.bgr else images
    return ordered * np.asarray(pixels.factor, np.float32) + np.asarray(pixels.offset, np.float32)


def _numbers(outputs: Any) -> np.ndarray:
    """All values of all outputs, float32 [n]."""
    return np.concatenate([np.asarray(item, np.float32).ravel() for item in keras.tree.flatten(outputs)])
