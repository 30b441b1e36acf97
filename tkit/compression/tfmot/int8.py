"""Quantization-aware models of TensorFlow Model Optimization Toolkit: made from a twin, read back, and converted."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import tensorflow as tf
import tf_keras

from tkit._quiet import chatter_dropped
from tkit.compression.tfmot.fine_tuning import tfmot
from tkit.compression.tfmot.keras2 import affine_layer
from tkit.graph import cloned
from tkit.keras_internals import nodes, producer
from tkit.kernels.scales import LARGEST_CODE, scale_shape
from tkit.kernels.viewed import with_kernels
from tkit.passes.folding import factors, fold
from tkit.promises import Clusters, Quantized
from tkit.quantization.fake_quant import nudged
from tkit.quantization.rules import Rules
from tkit_edge.errors import InputError

PREFIX = "quant_"
_RANGES = ("output", "post_activation")


def aware(model: tf_keras.Model, *, pruned: bool, clustered: bool) -> tf_keras.Model:
    """A copy of a twin with TFMOT's fake quantization, by the scheme that preserves zeros or shared weights.

    TFMOT has no rule for a rescaling of the pixels: a frozen 1x1 depthwise convolution replaces it.

    Raises:
        InputError: a layer that TFMOT has no rule for, named.
    """
    quantization, combine = tfmot().quantization.keras, tfmot().experimental.combine

    def quantizable(layer: Any) -> Any:
        if not isinstance(layer, (tf_keras.layers.Rescaling, tf_keras.layers.Normalization)):
            return layer
        return affine_layer(*_affine(layer), layer.input_shape[-1], layer.name)

    options: tuple[Any, ...] = ()
    if clustered:
        options = (combine.Default8BitClusterPreserveQuantizeScheme(preserve_sparsity=pruned),)
    elif pruned:
        options = (combine.Default8BitPrunePreserveQuantizeScheme(),)
    replaced = tf_keras.models.clone_model(model, clone_function=quantizable)
    try:
        made = quantization.quantize_apply(quantization.quantize_annotate_model(replaced), *options)
    except (RuntimeError, ValueError) as error:
        raise InputError(f"TFMOT can't quantize this model: {error} tkit's own step is quantize:aware=true.") from error
    for layer in made.layers:
        if not getattr(layer, "layer", layer).trainable:  # TFMOT's wrapper would train the kernel of a frozen layer
            layer.trainable = False
    return made


def read(
    made: tf_keras.Model, model: keras.Model, calibrated: dict[str, tuple[float, float]]
) -> tuple[keras.Model, Quantized]:
    """The results of a trained quantization-aware model, in tkit's terms.

    Args:
        made: from `aware`, trained.
        model: the Keras 3 model that its twin was made of.
        calibrated: ranges by tensor; they are kept where TFMOT has none.

    Returns:
        The folded model with kernels that are codes times scales, and the scales and ranges.
    """
    copy, largest = cloned(model), {}
    kernels = {layer.name for layer in with_kernels(model)}
    for layer in copy.layers:
        if not layer.weights:
            continue
        wrapper: Any = made.get_layer(PREFIX + layer.name)
        if layer.name in kernels:
            # The wrapped layer's own attribute is the fake-quantized tensor of the last trace.
            kernel, quantizer, variables = wrapper._weight_vars[0]
            bias = [wrapper.layer.bias.numpy()] if layer.use_bias else []
            layer.set_weights([quantizer(kernel, False, weights=variables).numpy(), *bias])
            largest[layer.name] = _a_channel(variables["max_var"].numpy(), scale_shape(layer, layer.kernel.shape))
        elif isinstance(layer, keras.layers.BatchNormalization):
            layer.set_weights(wrapper.layer.get_weights())
    folded, factor = fold(copy), factors(copy)
    scales = {}
    for layer in with_kernels(folded):
        own = np.abs(largest[layer.name] * factor.get(layer.name, np.float32(1))) / LARGEST_CODE
        # As in `code_scales`: with its own scale a dead channel's bias would overflow an int32.
        own = np.where(own > 1e-4 * own.max(), own, own.max() or 1.0).astype(np.float32)
        layer.kernel.assign(_codes(layer, own) * own.reshape(scale_shape(layer, layer.kernel.shape)))
        scales[layer.name] = tuple(own.tolist())
    ranges = calibrated | _ranges(made, copy, folded, calibrated)
    return folded, Quantized(scales=scales, ranges=ranges)


def clusters(layer: keras.layers.Layer, scales: tuple[float, ...]) -> Clusters:
    """The values that the rounded weights of `layer` share: its codes."""
    own = np.asarray(scales, np.float32)
    centroids = np.unique(_codes(layer, own)) / LARGEST_CODE
    return Clusters(centroids=tuple(centroids.tolist()), scales=tuple((own * LARGEST_CODE).tolist()))


def tflite(made: tf_keras.Model, io: str = "int8") -> bytes:
    """TFMOT's own int8 .tflite file, as TensorFlow converts its quantization-aware model.

    Args:
        made: from `aware`, trained.
        io: "int8", "uint8" or "float32": type of the file's input and output.
    """
    spec = tf.TensorSpec((1, *made.inputs[0].shape[1:]), tf.float32, name="image")
    function = tf.function(lambda image: {"logits": made(image, training=False)}, input_signature=[spec])
    converter = tf.lite.TFLiteConverter.from_concrete_functions([function.get_concrete_function()], made)
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    converter.inference_input_type = converter.inference_output_type = tf.as_dtype(io)
    with chatter_dropped(everything=True):
        return converter.convert()


def _a_channel(values: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """TFMOT's numbers (one per kernel, channel, or depthwise multiplier) as one per output channel, flat."""
    count = int(np.prod(shape))
    return values.ravel() if values.size == count else np.broadcast_to(values, shape).ravel()


def _codes(layer: keras.layers.Layer, scales: np.ndarray) -> np.ndarray:
    kernel = layer.kernel.numpy()
    shaped = scales.reshape(scale_shape(layer, kernel.shape))
    return np.clip(np.round(kernel / shaped), -LARGEST_CODE, LARGEST_CODE)


def _affine(layer: Any) -> tuple[np.ndarray, np.ndarray]:
    if isinstance(layer, tf_keras.layers.Rescaling):
        return np.asarray(layer.scale, np.float32), np.asarray(layer.offset, np.float32)
    deviation = np.maximum(np.sqrt(np.asarray(layer.variance, np.float32)), tf_keras.backend.epsilon())
    return (1 / deviation).reshape(-1), (-np.asarray(layer.mean, np.float32) / deviation).reshape(-1)


def _ranges(
    made: tf_keras.Model, model: keras.Model, folded: keras.Model, known: dict[str, tuple[float, float]]
) -> dict[str, tuple[float, float]]:
    """By the tensor's name: the range that TFMOT's quantizers observed of a layer's output, after its batch
    normalization."""
    seen = {}
    for layer in made.layers:
        values = {weight.name.split("/")[-1].split(":")[0]: weight for weight in layer.weights}
        for name in _RANGES:
            if f"{name}_min" in values:
                low, high = (float(values[f"{name}_{end}"].numpy()) for end in ("min", "max"))
                seen[layer.name.removeprefix(PREFIX)] = (low, high)
    norms = {node.operation.name: producer(node.input_tensors[0]).name for node in nodes(model)}
    for name in list(seen):
        if isinstance(model.get_layer(name), keras.layers.BatchNormalization):
            seen[norms[name]] = seen.pop(name)
    rules = Rules(folded, ())
    found: dict[str, tuple[float, float]] = {}
    for node in nodes(folded):
        name, rule = node.operation.name, rules.of[id(node)]
        root = rules.root(rule.sites[-1])
        if name in seen and rule.rounds and root in known and root not in rules.fixed:
            low, high = seen[name]
            before = found.get(root, (low, high))
            found[root] = (min(low, before[0]), max(high, before[1]))
    return {root: nudged(*range_) for root, range_ in found.items()}
