"""Groups of channels, and narrowing proven against the model with the same channels zeroed."""

import keras
import numpy as np
import pytest
from keras import layers

from tkit.compression.channels.groups import groups
from tkit.compression.channels.narrowing import mask, narrow
from tkit.models import Spec, Statistics
from tkit.models.mobilenet import MobileNet
from tkit.models.resnet import ResNet
from tkit_edge.errors import InputError

SIZE = (16, 16, 3)
STATISTICS = Statistics(120.0, 4000.0)


def randomized(model):
    """Every weight drawn anew, so that no bias, beta or moving mean is 0."""
    random = np.random.default_rng(1)
    for variable in model.weights:
        low = 0.5 if variable.name in ("gamma", "moving_variance") else -0.5
        variable.assign(random.uniform(low, low + 1.0, variable.shape) / max(1, np.sqrt(np.prod(variable.shape[:-1]))))
    return model


def by_name(model):
    return {group.name: group for group in groups(model)}


def thinned(model, seed=0):
    """About half of each group's channels, drawn."""
    random = np.random.default_rng(seed)
    found = [group for group in groups(model) if group.unprunable_reason is None]
    return {group.name: random.permutation(group.width)[: max(1, group.width // 2)] for group in found}


def assert_equal_when_narrow(model, keep=None):
    keep = thinned(model) if keep is None else keep
    small = narrow(model, keep)
    images = np.random.default_rng(2).uniform(0, 255, (3, *model.input_shape[1:])).astype(np.float32)
    expected = mask(model, keep).predict(images, verbose=0)
    whole = model.predict(images, verbose=0)
    scale = max(1.0, np.abs(expected).max())
    np.testing.assert_allclose(small.predict(images, verbose=0), expected, rtol=0, atol=1e-5 * scale)
    assert np.abs(expected - whole).max() > 1e-3 * scale  # the channels did count
    assert small.count_params() < model.count_params()
    assert [layer.name for layer in small.layers] == [layer.name for layer in model.layers]
    return small


def convolution(x, filters, **settings):
    settings = {"padding": "same", "activation": "relu", **settings}
    return layers.Conv2D(filters, 3, **settings)(x)


def image():
    return keras.Input(SIZE, name="image")


def ended(inputs, x):
    x = layers.GlobalAveragePooling2D()(x)
    return randomized(keras.Model(inputs, layers.Dense(5, name="logits")(x)))


@pytest.mark.parametrize("depth", [8, 20])
def test_resnet(depth):
    model = randomized(ResNet(depth=depth).build(Spec.of_images(SIZE, 10, STATISTICS)))
    small = assert_equal_when_narrow(model)
    assert small.count_params() < 0.3 * model.count_params()


def test_resnets_groups_are_its_stages_and_its_blocks_insides():
    found = by_name(ResNet(depth=8).build(Spec.of_images(SIZE, 10, STATISTICS)))
    widths = [16, 16, 32, 32, 64, 64]  # of a stage's sum and its one block's inside
    assert sorted(group.width for group in found.values() if group.unprunable_reason is None) == widths
    stem = found["stem_conv"]
    assert [member.layer for member in stem.producers] == ["stem_conv", "stage1_block1_2_conv"]
    assert {member.layer for member in stem.consumers} == {
        "stage1_block1_1_conv",
        "stage2_block1_1_conv",
        "stage2_block1_shortcut",
    }
    assert [member.layer for member in stem.batch_norms] == ["stem_bn", "stage1_block1_2_bn"]
    assert found["logits"].unprunable_reason == "they are the model's outputs"


def test_mobilenet_with_depthwise_convolutions_and_relu6():
    model = MobileNet(width=0.5, depth=0.4, output_stride=8).build(Spec.of_images(SIZE, 10, STATISTICS))
    group = by_name(model)["stage2_block1_expand_conv"]
    assert [member.layer for member in group.producers] == [
        "stage2_block1_expand_conv",
        "stage2_block1_depthwise_conv",
    ]
    assert_equal_when_narrow(randomized(model))


def test_dense_blocks_and_inception_branches():
    inputs = image()
    x = convolution(inputs, 8, name="first")
    for number in range(2):
        y = layers.ReLU()(layers.BatchNormalization()(x))
        x = layers.Concatenate()([x, convolution(y, 4, activation=None, name=f"grow_{number}")])
    branches = [convolution(x, 4), layers.MaxPooling2D(3, 1, padding="same")(x), layers.Dropout(0.3)(x)]
    model = ended(inputs, layers.Concatenate()(branches))
    group = by_name(model)["grow_0"]
    [consumer] = [member for member in group.consumers if member.layer == "grow_1"]
    np.testing.assert_array_equal(consumer.channels, [-1] * 8 + [0, 1, 2, 3])
    assert_equal_when_narrow(model)


def test_flatten_before_dense_makes_each_channel_a_row_for_each_position():
    inputs = image()
    x = layers.MaxPooling2D(4)(convolution(inputs, 6, name="conv"))
    x = layers.Dense(12, activation="relu", name="hidden")(layers.Flatten()(x))
    model = randomized(keras.Model(inputs, layers.Dense(5)(x)))
    [consumer] = by_name(model)["conv"].consumers
    np.testing.assert_array_equal(consumer.channels, np.tile(np.arange(6), 16))
    small = assert_equal_when_narrow(model)
    assert small.get_layer("hidden").kernel.shape == (16 * 3, 6)


def test_reshape_of_rows_and_of_a_dense_layers_units_into_a_feature_map():
    inputs = image()
    x = convolution(inputs, 4, strides=4, name="conv")
    x = layers.Dense(4 * 4 * 6, activation="relu", name="units")(layers.Reshape((-1,))(x))
    x = convolution(layers.Reshape((4, 4, 6), name="map")(x), 8)
    model = ended(inputs, x)
    assert by_name(model)["units"].width == 6
    small = assert_equal_when_narrow(model)
    assert small.get_layer("map").target_shape == (4, 4, 3)
    assert small.get_layer("units").units == 4 * 4 * 3


def test_transposed_separable_and_one_layer_called_twice():
    inputs = image()
    x = convolution(inputs, 8, strides=2)
    x = layers.Conv2DTranspose(6, 3, strides=2, padding="same", activation="relu")(x)
    x = layers.PReLU(shared_axes=[1, 2])(layers.SeparableConv2D(8, 3, depth_multiplier=2)(x))
    twice = layers.Conv2D(8, 3, padding="same", activation="tanh", name="twice")
    x = layers.DepthwiseConv2D(3, depth_multiplier=2, activation="relu", name="wider")(twice(twice(x)))
    x = convolution(layers.BatchNormalization()(layers.ZeroPadding2D(1)(x)), 4)
    model = ended(inputs, layers.UpSampling2D(2)(x))
    assert all(group.unprunable_reason is None for group in groups(model) if group.name != "logits")
    assert_equal_when_narrow(model)


def test_squeeze_and_excitation_ties_its_gate_to_what_it_multiplies():
    inputs = image()
    x = layers.Activation("silu")(convolution(inputs, 8, activation=None, name="conv"))
    gate = layers.Reshape((1, 1, 8))(layers.GlobalAveragePooling2D()(x))
    gate = layers.Conv2D(4, 1, activation="relu", name="squeeze")(gate)
    gate = layers.Conv2D(8, 1, activation="sigmoid", name="excite")(gate)
    model = ended(inputs, convolution(layers.Multiply()([x, gate]), 8))
    group = by_name(model)["conv"]
    assert [member.layer for member in group.producers] == ["conv", "excite"]
    assert_equal_when_narrow(model)


def test_a_model_that_ends_in_probabilities_is_narrowed_before_them():
    inputs = image()
    x = convolution(layers.Rescaling(1 / 255)(inputs), 8, name="conv")
    x = layers.GlobalMaxPooling2D()(x)
    model = randomized(keras.Model(inputs, layers.Dense(5, activation="softmax")(x)))
    assert assert_equal_when_narrow(model).output_shape == (None, 5)


def test_batch_normalization_without_scale():
    inputs = image()
    x = layers.BatchNormalization(scale=False)(convolution(inputs, 8, activation=None))
    assert_equal_when_narrow(ended(inputs, layers.ReLU()(x)))


def whole_because(reason, build):
    inputs = image()
    model = ended(inputs, build(inputs))
    group = by_name(model)["conv"]
    assert group.unprunable_reason is not None
    assert reason in group.unprunable_reason
    with pytest.raises(InputError, match="'conv' have to stay"):
        narrow(model, {"conv": np.arange(2)})


def test_groups_that_stay_whole_say_why():
    def conv(inputs, **settings):
        return convolution(inputs, 8, name="conv", **settings)

    whole_because("'next' takes them after an", lambda x: convolution(conv(x, activation="sigmoid"), 4, name="next"))
    whole_because("doesn't map 0 to 0", lambda x: convolution(layers.Activation("softplus")(conv(x)), 4, name="next"))
    whole_because("LayerNormalization", lambda x: layers.LayerNormalization()(conv(x)))
    whole_because("Softmax", lambda x: layers.Softmax()(conv(x)))
    whole_because("'grouped' (Conv2D)", lambda x: convolution(conv(x), 8, groups=2, name="grouped"))
    whole_because("depends on all of them", lambda x: conv(x, activation="softmax"))
    whole_because("Add", lambda x: layers.Add()([conv(x), layers.Conv2D(1, 1)(x)]))
    whole_because("inputs", lambda x: layers.Add()([convolution(x, 3, name="conv"), x]))
    whole_because("Resizing", lambda x: layers.Resizing(8, 8)(conv(x)))


def test_what_is_tied_to_a_group_that_stays_whole_stays_whole():
    inputs = image()
    x, y = convolution(inputs, 8, name="first"), convolution(inputs, 8, name="second")
    model = ended(inputs, layers.Add()([layers.LayerNormalization()(x), y]))
    assert all(group.unprunable_reason for group in groups(model))


def test_wrong_channels_to_keep_are_refused():
    model = ResNet(depth=8).build(Spec.of_images(SIZE, 10, STATISTICS))
    with pytest.raises(InputError, match="no group of channels 'stem'; there are: stem_conv, "):
        narrow(model, {"stem": np.arange(3)})
    with pytest.raises(InputError, match=r"at least one number from 0 to 15, received \[3, 16\]"):
        narrow(model, {"stem_conv": np.array([3, 16])})
    with pytest.raises(InputError, match=r"at least one number .* received \[\]"):
        narrow(model, {"stem_conv": np.array([], int)})


def test_a_narrow_model_trains_and_keeps_what_was_frozen():
    inputs = image()
    x = layers.Conv2D(8, 3, name="conv", trainable=False)(inputs)
    model = ended(inputs, layers.ReLU()(x))
    small = narrow(model, {"conv": np.arange(3)})
    assert not small.get_layer("conv").trainable
    small.compile("sgd", keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    assert np.isfinite(small.train_on_batch(np.ones((4, *SIZE)), np.arange(4)))
