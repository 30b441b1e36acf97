"""What pixels a foreign model takes: preprocessing inside of it or before it becomes one scaling of raw pixels."""

import keras
import numpy as np
import pytest
from keras import layers

from tkit.conversion.converter import Converter
from tkit.keras_files.reader import read
from tkit.training.twin import training_twin
from tkit_edge.errors import InputError
from tkit_edge.pixels import PIXELS, pixel_codes
from tkit_edge.runtime import Model

SHAPE = (8, 8, 3)
IMAGES = np.random.default_rng(0).integers(0, 256, (4, *SHAPE)).astype(np.float32)


def scores(model, images=IMAGES):
    return np.asarray(keras.tree.flatten(model.predict(images, verbose=0))[0], np.float32)


def on_device(model, images=IMAGES, pixels="0-255"):
    with Converter(model, None, io="float32") as convert:
        return Model(convert("float32"), pixels=pixels).predict(images.astype(np.uint8))


def network(shape=SHAPE, front=()):
    """A classifier of three classes that doesn't scale its pixels, unless `front` does."""
    keras.utils.set_random_seed(0)
    body = [layers.Conv2D(4, 3, padding="same"), layers.ReLU(), layers.GlobalAveragePooling2D(), layers.Dense(3)]
    return keras.Sequential([keras.Input(shape), *front, *body])


def preprocessed(name, augmentation=layers.RandomFlip):
    """keras.applications' preprocess_input inside the model, behind augmentation and before padding."""

    def make():
        keras.utils.set_random_seed(0)
        inputs = keras.Input(SHAPE)
        x = getattr(keras.applications, name).preprocess_input(augmentation()(inputs))
        x = layers.Conv2D(8, 3, activation="relu")(layers.ZeroPadding2D(1)(x))
        return keras.Model(inputs, layers.Dense(3)(layers.GlobalAveragePooling2D()(x)))

    return make


@pytest.mark.parametrize("name", ["resnet50", "densenet", "mobilenet_v2"])
def test_preprocess_input_inside_the_model_is_one_scaling(name, taken):
    model = preprocessed(name)()
    ours, answer = taken(model)
    assert [type(layer).__name__ for layer in ours.layers[:4]] == [
        "InputLayer",
        "RandomFlip",
        "Rescaling",
        "ZeroPadding2D",
    ]
    assert len(ours.operations) == 7
    assert answer["pixels"] == "0-255"
    np.testing.assert_allclose(scores(ours), scores(model), atol=2e-5)
    np.testing.assert_allclose(on_device(ours), scores(model), atol=2e-5)


@pytest.mark.parametrize(
    "augmentation",
    [
        layers.RandAugment,
        layers.AugMix,
        lambda: layers.Pipeline([layers.RandomErasing(), layers.RandomZoom(0.1)]),
        lambda: layers.GaussianNoise(0.5),
    ],
)
def test_pixels_are_known_behind_augmentation_of_any_kind(augmentation, taken):
    model = preprocessed("resnet50", augmentation)()
    ours, _ = taken(model)
    assert len(training_twin(ours, "mixed_bfloat16", 0.0).layers) == len(ours.layers)
    np.testing.assert_allclose(scores(ours), scores(model), atol=2e-5)


def test_reversed_channels_that_no_convolution_takes_are_mixed_by_a_frozen_one(taken):
    inputs = keras.Input(SHAPE)
    x = layers.DepthwiseConv2D(3)(keras.applications.vgg16.preprocess_input(inputs))
    model = keras.Model(inputs, layers.Dense(3)(layers.Flatten()(x)))
    ours, _ = taken(model)
    assert type(ours.layers[1]) is layers.Conv2D
    assert not ours.layers[1].trainable
    np.testing.assert_allclose(scores(ours), scores(model), rtol=1e-5, atol=1e-3)


@pytest.mark.parametrize("pixels", ["caffe", "torch", "-1-1"])
def test_a_model_that_was_fed_preprocessed_pixels_takes_raw_ones(pixels, taken):
    mode = {"caffe": "resnet50", "torch": "densenet", "-1-1": "mobilenet_v2"}[pixels]
    model = network()
    wanted = scores(model, getattr(keras.applications, mode).preprocess_input(IMAGES.copy()))
    ours, _ = taken(model, pixels)
    np.testing.assert_allclose(scores(ours), wanted, atol=1e-4)
    np.testing.assert_allclose(on_device(model, pixels=pixels), wanted, atol=1e-4)
    with pytest.raises(InputError, match="--pixels caffe or --pixels torch"):
        taken(model)


def test_caffe_and_torch_are_of_three_channels(taken):
    grey = network((8, 8, 1))
    with pytest.raises(InputError, match="takes 1 channel; --pixels caffe is of images with three"):
        taken(grey, "caffe")
    with pytest.raises(InputError, match="pixels 'torch' are of three channels"):
        on_device(grey, IMAGES[..., :1], "torch")


def test_each_channel_of_a_quantized_input_has_its_own_codes():
    codes = pixel_codes("int8", 0.02, 0, "torch", "the model")
    factor, offset, _ = PIXELS["torch"]
    expected = np.clip(np.round((200 * np.array(factor) + np.array(offset)) / 0.02), -128, 127)
    assert np.abs(codes[200] - expected).max() <= 1


def test_pixels_given_for_a_model_that_scales_raw_ones_itself_are_warned_of(tmp_path, capsys):
    network(front=[layers.Rescaling(1 / 255)]).save(tmp_path / "mine.keras")
    read(tmp_path / "mine.keras", "0-1")
    assert "begins with its own scaling of raw 0-255 pixels" in capsys.readouterr().err
