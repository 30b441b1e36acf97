"""Layers that change what they take in training only."""

from __future__ import annotations

from typing import Any

from keras import layers

_REGULARIZATION = (
    *(layers.Identity, layers.ActivityRegularization, layers.GaussianNoise, layers.GaussianDropout),
    *(layers.Dropout, layers.SpatialDropout1D, layers.SpatialDropout2D, layers.SpatialDropout3D, layers.AlphaDropout),
)
_AUGMENTATION = (layers.RandAugment, layers.AugMix)


def passes_at_inference(operation: Any) -> bool:
    """Whether a layer gives what it takes at inference: regularization, and augmentation except random crops."""
    if isinstance(operation, layers.Pipeline):
        return all(map(passes_at_inference, operation.layers))
    random = type(operation).__name__.startswith("Random") and not isinstance(operation, layers.RandomCrop)
    layer = isinstance(operation, layers.Layer)
    return layer and (random or isinstance(operation, (*_REGULARIZATION, *_AUGMENTATION)))
