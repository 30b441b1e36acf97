"""Rankings of channels: what they see in weights and gradients that are known."""

import keras
import numpy as np
import pytest
from keras import layers

from tkit.compression.channels.groups import groups
from tkit.compression.channels.narrowing import mask
from tkit.compression.channels.ranking import bn_scale, l1, taylor
from tkit.models import Spec, Statistics
from tkit.models.resnet import ResNet
from tkit_edge.errors import InputError

SIZE = (8, 8, 3)
LOSS = keras.losses.SparseCategoricalCrossentropy(from_logits=True)


@pytest.fixture(scope="module")
def resnet():
    keras.utils.set_random_seed(0)
    model = ResNet(depth=8, width=8).build(Spec.of_images(SIZE, 5, Statistics(128.0, 5000.0)))
    random = np.random.default_rng(0)
    for variable in model.weights:
        if variable.name in ("gamma", "beta"):
            variable.assign(random.uniform(0.2, 1.0, variable.shape))
    return model


@pytest.fixture(scope="module")
def originals():
    random = np.random.default_rng(1)
    return {"image": random.integers(0, 256, (64, *SIZE), np.uint8)}, random.integers(0, 5, 64)


def test_l1_sums_the_kernels_of_a_residual_groups_convolutions(resnet):
    kernels = [resnet.get_layer(name).kernel.numpy() for name in ("stem_conv", "stage1_block1_2_conv")]
    expected = sum(np.abs(kernel).sum(axis=(0, 1, 2)) for kernel in kernels)
    np.testing.assert_allclose(l1(resnet)["stem_conv"], expected / expected.mean(), rtol=1e-6)


def test_bn_scale_sums_the_gammas(resnet):
    gammas = [resnet.get_layer(name).gamma.numpy() for name in ("stem_bn", "stage1_block1_2_bn")]
    expected = np.abs(gammas[0]) + np.abs(gammas[1])
    np.testing.assert_allclose(bn_scale(resnet)["stem_conv"], expected / expected.mean(), rtol=1e-6)


def test_bn_scale_needs_batch_normalization():
    inputs = keras.Input(SIZE)
    x = layers.GlobalAveragePooling2D()(layers.Conv2D(4, 3, name="bare", activation="relu")(inputs))
    with pytest.raises(InputError, match="the groups bare pass none. Rank by l1 or taylor"):
        bn_scale(keras.Model(inputs, layers.Dense(3)(x)))


def test_taylor_predicts_the_loss_of_a_small_change(resnet, originals):
    """A channel's gates moved a little from 1 towards 0 change the loss by what its rank says."""
    arrays, labels = originals
    found = taylor(resnet, arrays, labels, LOSS, batch_size=64)["stage2_block1_1_conv"]

    def value():
        return float(LOSS(labels, resnet(arrays["image"].astype(np.float32), training=False)))

    norm = resnet.get_layer("stage2_block1_1_bn")
    changes = []
    for channel in range(16):
        ends = []
        for gate in (0.99, 1.01):
            factor = np.ones(16, np.float32)
            factor[channel] = gate
            before = norm.get_weights()
            norm.set_weights([before[0] * factor, before[1] * factor, *before[2:]])
            ends.append(value())
            norm.set_weights(before)
        changes.append(abs(ends[1] - ends[0]))
    np.testing.assert_allclose(found, changes / np.mean(changes), atol=0.05)


def test_a_channel_that_is_zero_already_ranks_last_and_all_rankings_repeat(resnet, originals):
    dead = mask(resnet, {"stage1_block1_1_conv": np.delete(np.arange(8), 5)})
    for rank in (l1, bn_scale, lambda model: taylor(model, *originals, LOSS, batch_size=16)):
        found = rank(dead)
        assert found["stage1_block1_1_conv"].argmin() == 5
        assert found["stage1_block1_1_conv"][5] == 0
        assert list(found) == [group.name for group in groups(dead) if group.unprunable_reason is None]
        np.testing.assert_array_equal(rank(dead)["stem_conv"], found["stem_conv"])


def test_a_model_without_channels_to_remove_says_why(originals):
    inputs = keras.Input(SIZE)
    model = keras.Model(inputs, layers.Dense(5, name="logits")(layers.Flatten()(inputs)))
    with pytest.raises(InputError, match="No channel .* can be removed. logits: they are the model's outputs"):
        taylor(model, *originals, LOSS, batch_size=16)
