"""Which layers a step works on."""

from __future__ import annotations

from collections.abc import Sequence

import keras

from tkit import console
from tkit.kernels.viewed import with_kernels
from tkit_edge.errors import InputError
from tkit_pipelines.config import did_you_mean

TAKEN = "Conv2D, DepthwiseConv2D, Conv2DTranspose and Dense"


def chosen(model: keras.Model, skip: Sequence[str], step: str) -> list[keras.layers.Layer]:
    """The layers of `model` that have a kernel, without those that `skip` gives: by name, or by kind such as "dense".

    Raises:
        InputError: a name that the model doesn't have, or nothing left.
    """
    layers = with_kernels(model)
    skipped = named(model, skip, f"{step} is to skip")
    left = [layer for layer in layers if layer.name not in skipped]
    if not left:
        raise InputError(
            f"{step} has nothing to work on: the model has {len(layers)} layers with a kernel that tkit compresses "
            f"({TAKEN}), {len(skip)} names are skipped."
        )
    return left


def say_what_stays(model: keras.Model, layers: Sequence[keras.layers.Layer], step: str) -> None:
    """Reports the layers with a kernel whose kind a step doesn't support, and those of `layers` that aren't trained."""
    able = {layer.name for layer in with_kernels(model)}
    others = [
        f"{layer.name} ({type(layer).__name__})"
        for layer in model.layers
        if layer.name not in able and any("kernel" in variable.name for variable in layer.weights)
    ]
    if others:
        console.say(f"{step}: takes {TAKEN}; these stay as they are: {', '.join(others)}")
    frozen = [layer.name for layer in layers if not layer.trainable]
    if frozen:
        console.say(f"{step}: takes frozen layers too, but doesn't train what is left of them: {', '.join(frozen)}")


def named(model: keras.Model, wanted: Sequence[str], why: str) -> set[str]:
    """The names of the layers in `wanted`: given by name, or by kind such as "dense", then those with a kernel.

    Raises:
        InputError: a name that the model doesn't have, after `why`.
    """
    layers = with_kernels(model)
    kinds = {_kind(layer) for layer in layers}
    names = {layer.name for layer in model.layers}
    for name in wanted:
        if name not in names and name.lower() not in kinds:
            raise InputError(f"{why} {name!r}: no layer or kind of that name.{did_you_mean(name, names | kinds)}")
    lower = {name.lower() for name in wanted}
    return {layer.name for layer in layers if _kind(layer) in lower} | (names & set(wanted))


def _kind(layer: keras.layers.Layer) -> str:
    return type(layer).__name__.lower()
