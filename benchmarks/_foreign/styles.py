"""Styles that needn't be trained to show whether they are taken: unusual graphs, names and ways of writing."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras
from keras import layers as L
from keras import ops

from _foreign import Entry
from _foreign.blocks import conv_bn, squeeze_excite
from _foreign.frames import head, scaled_input

SHAPE = (16, 16, 3)


def _conv(x: Any) -> Any:
    return L.Conv2D(8, 3, padding="same", activation="relu")(x)


def shared_activation() -> keras.Model:
    """One activation layer used twice beside a layer that Keras named `activation_1`."""
    activation = L.Activation("relu")
    inputs, x = scaled_input()
    x = activation(L.Conv2D(8, 3, padding="same")(x))
    x = activation(L.Conv2D(8, 3, padding="same")(x))
    gate = L.Activation("sigmoid")(L.Conv2D(8, 1)(L.GlobalAveragePooling2D(keepdims=True)(x)))
    return head(inputs, L.Multiply()([x, gate]))


def colliding_names() -> keras.Model:
    """Names that end as those do which tools make up."""
    inputs = keras.Input(SHAPE, name="image")
    x = L.Rescaling(1 / 255, name="pixels")(inputs)
    x = L.Conv2D(8, 3, activation="silu", name="conv")(x)
    x = L.Conv2D(8, 3, activation="relu", name="conv_gate")(x)
    x = L.SeparableConv2D(8, 3, activation="hard_sigmoid", name="conv_silu")(x)
    x = L.Conv2D(8, 3, padding="same", name="conv_int8")(x)
    a, b, c = (L.Conv2D(8, 1, name=name)(x) for name in ("add_2", "conv_line", "conv_silu_depthwise"))
    return head(inputs, L.Add(name="add")([a, b, c]))


def sums_of_three() -> keras.Model:
    """Sums of three tensors beside other sums, with Keras's own names."""
    inputs, x = scaled_input()
    a, b, c = _conv(x), _conv(x), _conv(x)
    x = L.Add()([a, b, c])
    x = L.Add()([_conv(x), a])
    return head(inputs, L.Add()([_conv(x), b]))


def names_as_people_give_them() -> keras.Model:
    """Names with dots, dashes and capitals."""
    inputs = keras.Input(SHAPE, name="my-input")
    x = L.Rescaling(1 / 255, name="scale.1-255")(inputs)
    x = L.ReLU(name="stage1.relu")(L.BatchNormalization(name="stage1.bn")(L.Conv2D(8, 3, name="stage1.conv")(x)))
    x = L.Conv2D(8, 3, name="Conv_2.b-c")(x)
    return head(inputs, x)


def nested_three_deep() -> keras.Model:
    """A model in a model in a model, whose layers have the same names."""
    inner = keras.Sequential([keras.Input((14, 14, 8)), L.Conv2D(8, 3, name="conv"), L.ReLU()], name="inner")
    middle = keras.Sequential([keras.Input((16, 16, 8)), L.Conv2D(8, 3, name="conv"), inner], name="middle")
    inputs, x = scaled_input()
    return head(inputs, middle(L.Conv2D(8, 3, padding="same", name="conv")(x)))


def two_heads_in_one() -> keras.Model:
    """Two dense heads, averaged: an ensemble of a shared backbone."""
    inputs, x = scaled_input()
    x = L.GlobalAveragePooling2D()(_conv(_conv(x)))
    return keras.Model(inputs, L.Average()([L.Dense(3, activation="softmax")(x) for _ in range(2)]))


def ensemble() -> keras.Model:
    """Two whole classifiers with their softmax, averaged."""
    inputs, x = scaled_input()
    members = [
        keras.Sequential(
            [keras.Input(SHAPE), L.Conv2D(8, 3, activation="relu"), L.GlobalAveragePooling2D(), L.Dense(3), L.Softmax()]
        )
        for _ in range(2)
    ]
    return keras.Model(inputs, L.Average()([member(x) for member in members]))


def list_output() -> keras.Model:
    inputs, x = scaled_input()
    return keras.Model([inputs], [L.Dense(3)(L.GlobalAveragePooling2D()(_conv(x)))])


def dict_input() -> keras.Model:
    inputs, x = scaled_input()
    return keras.Model({"image": inputs}, L.Dense(3)(L.GlobalAveragePooling2D()(_conv(x))))


def conv_head() -> keras.Model:
    """Fully convolutional, pooled at the end."""
    inputs, x = scaled_input()
    return keras.Model(inputs, L.Activation("softmax")(L.GlobalAveragePooling2D()(L.Conv2D(3, 1)(_conv(x)))))


def layer_scale() -> keras.Model:
    """A learned scale per channel, as a 1x1 depthwise convolution."""
    inputs, x = scaled_input()
    x = _conv(x)
    return head(inputs, L.Add()([x, L.DepthwiseConv2D(1, use_bias=False)(L.Dense(8)(x))]))


def regularized() -> keras.Model:
    """Regularizers, constraints and initializers of every sort."""
    inputs, x = scaled_input()
    x = L.Conv2D(8, 3, kernel_regularizer="l2", kernel_constraint=keras.constraints.MaxNorm(2.0))(x)
    x = L.Dense(8, kernel_regularizer=keras.regularizers.L1L2(1e-4, 1e-4), activity_regularizer="l1")(x)
    return head(inputs, L.Conv2D(8, 3, kernel_initializer="orthogonal", bias_constraint="non_neg")(x))


def siamese_difference() -> keras.Model:
    """An image against its mirror image, through one encoder."""
    encoder = keras.Sequential([keras.Input(SHAPE), L.Conv2D(8, 3, activation="relu"), L.GlobalAveragePooling2D()])
    inputs, x = scaled_input()
    return head(inputs, L.Subtract()([encoder(x), encoder(ops.flip(x, axis=2))]))


def spatial_attention() -> keras.Model:
    """CBAM's two gates (Woo et al. 2018), with keras.ops."""
    inputs, x = scaled_input()
    x = squeeze_excite(_conv(x))
    pooled = L.Concatenate()([ops.mean(x, axis=-1, keepdims=True), ops.max(x, axis=-1, keepdims=True)])
    return head(inputs, L.Multiply()([x, L.Conv2D(1, 7, padding="same", activation="sigmoid")(pooled)]))


def ops_reshape_slice() -> keras.Model:
    inputs, x = scaled_input()
    x = _conv(x)[:, 1:-1, 1:-1]
    x = ops.reshape(x, (-1, 196, 8))
    x = ops.transpose(x, (0, 2, 1))
    return keras.Model(inputs, L.Dense(3)(ops.mean(L.Dense(16, activation="relu")(x), axis=1)))


def ops_arithmetic() -> keras.Model:
    inputs, x = scaled_input()
    x = _conv(x)
    x = ops.sqrt(ops.square(x) + 0.01) - ops.abs(x * 0.5)
    x = ops.power(ops.maximum(x, 0.0), 2.0)
    return head(inputs, ops.clip(x, 0.0, 4.0))


def ops_activations() -> keras.Model:
    inputs, x = scaled_input()
    for function in (ops.relu6, ops.silu, ops.leaky_relu, ops.elu, ops.tanh, ops.sigmoid, ops.softplus):
        x = function(L.Conv2D(8, 3, padding="same")(x))
    return head(inputs, x)


def ops_normalize() -> keras.Model:
    """Features divided by their length, times a temperature: a cosine classifier."""
    inputs, x = scaled_input()
    x = L.Dense(16)(L.GlobalAveragePooling2D()(_conv(x)))
    x = x / ops.norm(x, axis=-1, keepdims=True)
    return keras.Model(inputs, L.Dense(3, use_bias=False)(x) * 10.0)


def ops_split_and_stack() -> keras.Model:
    inputs, x = scaled_input()
    left, right = ops.split(_conv(x), 2, axis=-1)
    x = ops.concatenate([ops.relu(left), right * ops.sigmoid(left)], axis=-1)
    return head(inputs, ops.pad(x, [[0, 0], [1, 1], [1, 1], [0, 0]]))


def ops_pooling() -> keras.Model:
    inputs, x = scaled_input()
    x = ops.max_pool(_conv(x), 2, padding="same")
    return head(inputs, ops.average_pool(_conv(x), 2))


def ops_matmul() -> keras.Model:
    """Bilinear pooling (Lin et al. 2015)."""
    inputs, x = scaled_input()
    x = L.Reshape((64, 8))(L.Conv2D(8, 3, strides=2, padding="same", activation="relu")(x))
    x = ops.matmul(ops.transpose(x, (0, 2, 1)), x) / 64
    return keras.Model(inputs, L.Dense(3)(L.Flatten()(x)))


def class_token() -> keras.Model:
    """A Vision Transformer whose first token is the one that is read."""
    inputs, x = scaled_input()
    x = L.Reshape((16, 16))(L.Conv2D(16, 4, strides=4)(x))
    x = ops.concatenate([ops.mean(x, axis=1, keepdims=True), x], axis=1)
    x = x + L.MultiHeadAttention(2, 8)(x, x)
    return keras.Model(inputs, L.Dense(3)(L.LayerNormalization()(x[:, 0])))


def global_pools_joined() -> keras.Model:
    inputs, x = scaled_input()
    x = conv_bn(x, 8, 2)
    return head(inputs, L.Concatenate()([L.GlobalAveragePooling2D()(x), L.GlobalMaxPooling2D()(x)]))


def shuffle_channels() -> keras.Model:
    """ShuffleNet's grouped convolution and channel shuffle (Zhang et al. 2018)."""
    inputs, x = scaled_input()
    x = L.Conv2D(8, 1, groups=2)(_conv(x))
    x = L.Reshape((16, 16, 8))(L.Permute((1, 2, 4, 3))(L.Reshape((16, 16, 2, 4))(x)))
    return head(inputs, L.DepthwiseConv2D(3, padding="same")(x))


def pixel_shuffle() -> keras.Model:
    """Space to depth by reshaping, as in many super-resolution networks."""
    inputs, x = scaled_input()
    x = L.Reshape((8, 2, 8, 2, 3))(x)
    x = L.Reshape((8, 8, 12))(L.Permute((1, 3, 2, 4, 5))(x))
    return head(inputs, _conv(x))


def hard_swish_blocks() -> keras.Model:
    inputs, x = scaled_input()
    x = conv_bn(x, 8, 2, "hard_silu")
    gate = L.Conv2D(8, 1, activation="hard_sigmoid")(L.GlobalAveragePooling2D(keepdims=True)(x))
    return head(inputs, L.Multiply()([x, gate]))


def mlp_mixer() -> keras.Model:
    """Dense layers over tokens and over channels (Tolstikhin et al. 2021)."""
    inputs, x = scaled_input()
    x = L.Reshape((16, 16))(L.Conv2D(16, 4, strides=4)(x))
    y = L.Permute((2, 1))(L.LayerNormalization()(x))
    x = L.Add()([x, L.Permute((2, 1))(L.Dense(16)(L.Dense(24, activation="gelu")(y)))])
    return head(inputs, L.LayerNormalization()(L.Add()([x, L.Dense(16, activation="gelu")(x)])))


def tf_softmax_activation() -> keras.Model:
    """A TensorFlow function as an activation, as older code has it."""
    import tensorflow as tf

    inputs, x = scaled_input()
    x = L.GlobalAveragePooling2D()(L.Conv2D(8, 3, activation=tf.nn.relu)(x))
    return keras.Model(inputs, L.Dense(3, activation=tf.nn.softmax)(x))


def not_square() -> keras.Model:
    inputs = keras.Input((12, 20, 3))
    return head(inputs, _conv(L.MaxPooling2D()(_conv(L.Rescaling(1 / 255)(inputs)))))


def any_size() -> keras.Model:
    """Fully convolutional with an open size."""
    inputs = keras.Input((None, None, 3))
    return head(inputs, _conv(_conv(L.Rescaling(1 / 255)(inputs))))


def fixed_batch() -> keras.Model:
    inputs = keras.Input(batch_shape=(1, *SHAPE))
    return head(inputs, _conv(L.Rescaling(1 / 255)(inputs)))


def wide_output() -> keras.Model:
    """Ten classes on ten features."""
    inputs, x = scaled_input()
    return head(inputs, _conv(x), 10)


def softmax_twice() -> keras.Model:
    """A softmax inside (attention over places) and one at the end."""
    inputs, x = scaled_input()
    x = L.Reshape((256, 8))(_conv(x))
    weights = L.Softmax(axis=1)(L.Dense(1)(x))
    x = L.Flatten()(L.Dot(axes=(1, 1))([weights, x]))
    return keras.Model(inputs, L.Dense(3, activation="softmax")(x))


def dead_channels() -> keras.Model:
    """Channels whose weights are all zeros, as after training with strong regularization."""
    inputs, x = scaled_input()
    model = head(inputs, conv_bn(conv_bn(x, 8, 2, "relu6"), 8, 2, "relu6"))
    for layer in model.layers:
        if isinstance(layer, L.Conv2D):
            kernel = layer.kernel.numpy()
            kernel[..., :3] = 0
            layer.kernel.assign(kernel)
    return model


_BUILDERS: tuple[Callable[[], keras.Model], ...] = (
    *(shared_activation, colliding_names, sums_of_three, names_as_people_give_them, nested_three_deep),
    *(list_output, dict_input, layer_scale, regularized, siamese_difference, spatial_attention, ops_reshape_slice),
    *(ops_arithmetic, ops_activations, ops_normalize, ops_split_and_stack, ops_pooling, ops_matmul, class_token),
    *(global_pools_joined, shuffle_channels, pixel_shuffle, hard_swish_blocks, mlp_mixer, not_square, fixed_batch),
    dead_channels,
)
_SOFTMAX = (two_heads_in_one, ensemble, conv_head, tf_softmax_activation, softmax_twice)

ENTRIES = [
    *(Entry(build.__name__.replace("_", " "), build) for build in _BUILDERS),
    *(Entry(build.__name__.replace("_", " "), build, output="softmax") for build in _SOFTMAX),
    Entry("wide output", wide_output, classes=10),
]
