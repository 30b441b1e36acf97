"""Conversion, calibration and the parity gate on a small trained model, through the real LiteRT runtime."""

import keras
import numpy as np
import pytest

from tkit.export import calibration, parity
from tkit.export.config import FORMATS, Export, Parity
from tkit.export.convert import Converter
from tkit.export.statistics import paired_drop
from tkit.fit.config import Fit
from tkit.fit.engine import train
from tkit.fit.optimizers.adamw import AdamW
from tkit.models import PixelStatistics
from tkit.models.resnet import ResNet
from tkit_edge import flatbuffer
from tkit_edge.accuracy import wilson
from tkit_edge.errors import InputError
from tkit_pipelines.batches import in_order
from tkit_pipelines.dataset import Examples
from tkit_pipelines.images import Images


@pytest.fixture(scope="module")
def exported():
    keras.utils.set_random_seed(0)
    data = Images(source="synthetic:5", image_size=(8, 8), channels=3, batch_size=32)
    splits = data.load(0)
    images = splits.test.images[:40]
    model = ResNet(depth=8, width=4).build((8, 8, 3), 5, PixelStatistics(128.0, 5000.0))
    validation = in_order(splits.validation, 5, 32)
    train(model, data.batches(splits.train, 5, 0), validation, Fit(epochs=2, optimizer=AdamW(learning_rate=0.02)))
    logits = model.predict(images.astype(np.float32), verbose=0)
    with Converter(model, images, io="int8") as convert:
        return images, logits, {fmt: convert(fmt) for fmt in FORMATS}


@pytest.mark.parametrize("fmt", FORMATS)
def test_each_format_agrees_with_the_keras_model(exported, fmt):
    images, logits, models = exported
    figures = parity.compare(fmt, models[fmt], images, logits.argmax(1).astype(np.int32), logits)
    assert figures["samples"] == 40
    assert figures["keras_accuracy"] == 1.0
    assert figures["agreement"] >= 0.9
    assert parity.failures(fmt, figures, Parity(agreement=0.9, drop=0.1)) == []


def test_an_int8_file_computes_in_integers_only(exported):
    graph = flatbuffer.read(exported[2]["int8"])
    types = {tensor.dtype for tensor in graph.tensors}
    assert types <= {"int8", "int32"}


@pytest.mark.parametrize("io", ["int8", "uint8", "float32"])
def test_the_int8_files_input_and_output_have_the_type_asked_for(exported, io):
    images, _, _ = exported
    keras.utils.set_random_seed(0)
    model = ResNet(depth=8, width=4).build((8, 8, 3), 5, PixelStatistics(128.0, 5000.0))
    with Converter(model, images[:4], io=io) as convert:
        graph = flatbuffer.read(convert("int8"))
    for index in (*graph.inputs, *graph.outputs):
        assert graph.tensors[index].dtype == io


def test_a_wrong_file_fails_the_gate_with_its_figures(exported):
    images, logits, models = exported
    shuffled = np.roll(logits, 1, axis=0)
    labels = shuffled.argmax(1).astype(np.int32)
    bounds = Parity()
    float32 = parity.failures("float32", parity.compare("float32", models["float32"], images, labels, shuffled), bounds)
    int8 = parity.failures("int8", parity.compare("int8", models["int8"], images, labels, shuffled), bounds)
    assert "largest difference" in float32[0]
    assert "agrees on" in int8[0]
    assert "accuracy drops by" in int8[1]


def test_a_layer_without_builtin_operators_is_named():
    class Odd(keras.layers.Layer):
        def call(self, inputs):
            import tensorflow as tf

            return tf.math.erfinv(inputs)

    inputs = keras.Input((8, 8, 1))
    x = keras.layers.Flatten(name="flatten")(inputs)
    x = Odd(name="my_odd_layer")(keras.layers.Dense(4, name="before")(x))
    model = keras.Model(inputs, keras.layers.Dense(3, name="logits")(x))
    images = np.zeros((2, 8, 8, 1), np.uint8)
    with (
        Converter(model, images, io="int8") as convert,
        pytest.raises(InputError, match="'my_odd_layer' cannot") as error,
    ):
        convert("float32")
    assert "Erfinv" in str(error.value)
    assert "before" not in str(error.value)


def test_an_operator_without_a_16_bit_kernel_is_named():
    inputs = keras.Input((4, 4, 1))
    x = keras.layers.LayerNormalization()(keras.layers.Flatten()(inputs))
    model = keras.Model(inputs, keras.layers.Dense(3, name="logits")(x))
    images = np.zeros((2, 4, 4, 1), np.uint8)
    with (
        Converter(model, images, io="int8") as convert,
        pytest.raises(InputError, match="as int16x8: LiteRT has no 16-bit kernel for NEG. Leave the format out"),
    ):
        convert("int16x8")


def test_calibration_pictures_are_spread_over_the_classes():
    labels = np.array([0] * 90 + [1] * 9 + [2], np.int32)
    images = np.arange(100, dtype=np.uint8).reshape(100, 1, 1, 1)
    chosen = calibration.stratified(Examples(images, labels), 30, seed=0).ravel()
    counts = np.bincount(labels[chosen])
    assert counts[2] == 1
    assert counts[1] == 9 or counts[1] == 10
    assert len(np.unique(chosen)) == len(chosen)


def test_intervals_match_published_examples():
    # Wilson for 81 of 263 (Newcombe 1998, table I): 0.2553 to 0.3662.
    assert wilson(81, 263) == pytest.approx((0.2553, 0.3662), abs=5e-5)
    before = np.array([True] * 90 + [False] * 10)
    assert paired_drop(before, before)[0] == 0.0
    drop, interval = paired_drop(before, np.roll(before, 5))
    assert drop == 0.0
    assert interval.low < 0 < interval.high


def test_formats_must_be_known_and_distinct():
    with pytest.raises(ValueError, match="at most once"):
        Export(formats=("int8", "int8"))
