"""The tf_keras twin of a Keras 3 model: TensorFlow Model Optimization Toolkit accepts nothing else.

Keras 2 can't read the config of a Keras 3 model, so each layer is recreated, with its name and its weights.
"""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import tf_keras

from tkit.graph import cloned
from tkit.keras_internals import nodes, producer
from tkit_edge.errors import InputError

# Equal in both except for what `_config` changes.
_NAMES = """
    Activation Add Average AveragePooling2D BatchNormalization Concatenate Conv2D Conv2DTranspose Cropping2D Dense
    DepthwiseConv2D Dropout ELU Flatten GaussianDropout GaussianNoise GlobalAveragePooling2D GlobalMaxPooling2D
    LeakyReLU MaxPooling2D Maximum Minimum Multiply Normalization Permute ReLU Rescaling Reshape SeparableConv2D Softmax
    SpatialDropout2D Subtract UpSampling2D ZeroPadding2D
"""
_LAYERS = _NAMES.split()
_TRANSLATED = {getattr(keras.layers, name): getattr(tf_keras.layers, name) for name in _LAYERS}
_RENAMED = {keras.layers.LeakyReLU: {"negative_slope": "alpha"}}
_KERAS_3_ONLY = {"dtype", "quantization_config"}


def twin(model: keras.Model) -> tf_keras.Model:
    """A float32 tf_keras model that computes the same as a functional model of stock layers, with its names and
    weights.

    Raises:
        InputError: a layer that isn't translated, named.
    """
    image = model.inputs[0]
    if len(model.inputs) != 1 or len(model.outputs) != 1:
        raise InputError(
            f"TFMOT takes a model with one input and one output here, received {len(model.inputs)} and "
            f"{len(model.outputs)}."
        )
    start = tf_keras.Input(image.shape[1:], name=producer(image).name)
    tensors: dict[int, Any] = {id(image): start}
    made: dict[str, tf_keras.layers.Layer] = {}
    for node in nodes(model):
        layer = node.operation
        arguments, keywords = node.arguments.fill_in(tensors)
        if layer.name not in made:
            made[layer.name] = _translated(layer)
        outputs = made[layer.name](*arguments, **keywords)
        tensors.update(zip(map(id, node.outputs), keras.tree.flatten(outputs), strict=True))
    copy = tf_keras.Model(start, tensors[id(model.outputs[0])], name=model.name)
    for name, layer in made.items():
        layer.set_weights(model.get_layer(name).get_weights())
        if isinstance(layer, tf_keras.layers.Normalization):
            layer.finalize_state()
    return copy


def back(trained: tf_keras.Model, model: keras.Model) -> keras.Model:
    """A copy of a Keras 3 `model` with the weights of `trained`, its twin after training."""
    copy = cloned(model)
    for layer in copy.layers:
        if layer.weights:
            layer.set_weights(trained.get_layer(layer.name).get_weights())
    return copy


def affine_layer(factor: np.ndarray, offset: np.ndarray, channels: int, name: str) -> tf_keras.layers.Layer:
    """A frozen 1x1 depthwise convolution that multiplies by `factor` and adds `offset`, scalars or [channels]."""
    layer = tf_keras.layers.DepthwiseConv2D(1, name=name, trainable=False)
    layer.build((None, None, None, channels))
    kernel, bias = (np.broadcast_to(numbers, channels).astype(np.float32) for numbers in (factor, offset))
    layer.set_weights([kernel.reshape(1, 1, channels, 1), bias])
    return layer


def _translated(layer: Any) -> tf_keras.layers.Layer:
    if type(layer) not in _TRANSLATED:
        raise InputError(
            f"TFMOT works on Keras 2, and {layer.name!r} ({type(layer).__name__}) isn't translated to it. Use tkit's "
            f"own step, or a model of these layers: {', '.join(_LAYERS)}."
        )
    try:
        return _TRANSLATED[type(layer)](**_config(layer))
    except (TypeError, ValueError) as error:
        raise InputError(
            f"TFMOT works on Keras 2, which has no {type(layer).__name__} with the settings of {layer.name!r}: {error}"
        ) from error


def _config(layer: keras.layers.Layer) -> dict[str, Any]:
    """The arguments of Keras 2's layer; initializers are left out, because weights are set."""
    renamed = _RENAMED.get(type(layer), {})
    config = {}
    for key, value in layer.get_config().items():
        if key in _KERAS_3_ONLY or key.endswith("_initializer"):
            continue
        if isinstance(value, dict):  # a regularizer or constraint
            value = {"class_name": value["class_name"], "config": value["config"]}
        config[renamed.get(key, key)] = value
    return config
