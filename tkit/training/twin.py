"""The training twin: the same network as a stock float32 model, made fast to train.

The model that is built, saved and exported has stock Keras layers in float32 only. Training runs on a clone of it with
the mixed-precision policy, L2 penalties and fused batch normalization; the weights, float32 in both, are copied over.
"""

from __future__ import annotations

from typing import Any

import keras
import tensorflow as tf

from tkit.graph import clone, cloned
from tkit.keras_internals import producer
from tkit.registered import registered
from tkit.training.strided import StridedConv2D, StridedConv2DTranspose, faster

_KERNELS = ("kernel_regularizer", "depthwise_regularizer", "pointwise_regularizer")


@registered
class FusedBatchNormalization(keras.layers.BatchNormalization):
    """Batch normalization whose training branch is TensorFlow's one fused kernel instead of a dozen small ones.

    Equal to `keras.layers.BatchNormalization` on [batch, height, width, channels] up to rounding.
    """

    def call(self, inputs: Any, training: bool | None = None, mask: Any = None) -> Any:
        """Float [batch, height, width, channels] in and out; updates the moving statistics in training."""
        if not (training and self.trainable):
            return super().call(inputs, training=training, mask=mask)
        outputs, mean, variance = tf.compat.v1.nn.fused_batch_norm(
            inputs,
            scale=tf.cast(self.gamma, tf.float32),
            offset=tf.cast(self.beta, tf.float32),
            epsilon=self.epsilon,
            is_training=True,
        )
        # The kernel returns the unbiased variance; Keras's moving variance is the biased one.
        count = tf.cast(tf.reduce_prod(tf.shape(inputs)[:3]), tf.float32)
        variance = variance * (count - 1.0) / count
        self.moving_mean.assign(self.moving_mean * self.momentum + mean * (1.0 - self.momentum))
        self.moving_variance.assign(self.moving_variance * self.momentum + variance * (1.0 - self.momentum))
        return outputs


def training_twin(model: keras.Model, policy: str, l2: float) -> keras.Model:
    """A clone of a functional `model` under the dtype `policy`, with its weights.

    Input normalization and the layers that make the outputs stay in float32: rounding there costs accuracy and saves
    nothing. Layers that already have a regularizer keep it.
    """
    stays_float32 = {producer(tensor).name for tensor in model.outputs}

    def made(layer: Any) -> Any:
        if not isinstance(layer, keras.layers.Layer):  # a bare operation has neither weights nor a dtype policy
            return layer
        config, changes = layer.get_config(), dict[str, Any]()
        preprocessing = isinstance(layer, (keras.layers.Normalization, keras.layers.Rescaling))
        if layer.name not in stays_float32 and not preprocessing and "dtype" in config:  # a Pipeline has none
            changes["dtype"] = policy
        if l2:
            bare = [key for key in _KERNELS if key in config and config[key] is None]
            changes |= {key: keras.regularizers.L2(l2) for key in bare}
        other = FusedBatchNormalization if _fusable(layer) else faster(layer, changes.get("dtype", "float32"))
        return clone(layer, other, **changes)

    return cloned(model, made)


def untwinned(model: keras.Model) -> keras.Model:
    """The inverse of `training_twin`: stock layers in float32; `model` itself where nothing has to change.

    Layers with a view keep it.
    """
    stock = {
        FusedBatchNormalization: keras.layers.BatchNormalization,
        StridedConv2D: keras.layers.Conv2D,
        StridedConv2DTranspose: keras.layers.Conv2DTranspose,
    }

    def changed(layer: Any) -> bool:
        return type(layer) in stock or getattr(layer, "compute_dtype", "float32") != "float32"

    def made(layer: Any) -> Any:
        return clone(layer, stock.get(type(layer)), dtype="float32") if changed(layer) else clone(layer)

    return cloned(model, made) if any(map(changed, model.operations)) else model


def _fusable(layer: keras.layers.Layer) -> bool:
    if type(layer) is not keras.layers.BatchNormalization:
        return False
    rank = len(layer.input.shape)
    return rank == 4 and layer.axis in (-1, 3) and layer.scale and layer.center and not layer.synchronized
