"""Conversion, calibration and the parity gate on a small trained model, through the real LiteRT runtime."""

import keras
import numpy as np
import pytest
from keras import layers
from keras.initializers import Constant, RandomNormal
from PIL import Image

import tkit
from tkit.compression.proofs import Proof
from tkit.conversion import calibration, finite, parity, process
from tkit.conversion.config import FORMATS, Export, Parity
from tkit.conversion.converter import Converter
from tkit.conversion.explanation import float_operators
from tkit.conversion.statistics import paired_drop
from tkit.graph import names
from tkit.models import PixelStatistics
from tkit.models.resnet import ResNet
from tkit.training.config import Fit
from tkit.training.engine import train
from tkit.training.optimizers.adamw import AdamW
from tkit_edge import flatbuffer
from tkit_edge.accuracy import wilson
from tkit_edge.bundle import Bundle
from tkit_edge.errors import BoundError, InputError
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
    figures = parity.compare(process.outputs(models[fmt], images), logits, logits.argmax(1).astype(np.int32))
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
    float32, int8 = (
        parity.failures(fmt, parity.compare(process.outputs(models[fmt], images), shuffled, labels), bounds)
        for fmt in ("float32", "int8")
    )
    assert "largest difference" in float32[0]
    assert "agrees on" in int8[-2]
    assert "accuracy drops by" in int8[-1]


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


def test_calibration_images_are_spread_over_the_classes():
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


def small(*middle, outputs=3, shape=(16, 16, 3)):
    """A functional classifier of raw pixels."""
    inputs = keras.Input(shape)
    x = layers.Rescaling(1 / 255)(inputs)
    for layer in middle:
        x = layer(x)
    return keras.Model(inputs, layers.Dense(outputs)(x))


def noise(count=24, shape=(16, 16, 3)):
    return np.random.default_rng(0).integers(0, 256, (count, *shape), dtype=np.uint8)


def figures_of(model, fmt, images, calibration=None):
    logits = model.predict(images.astype(np.float32), verbose=0)
    with Converter(model, images if calibration is None else calibration, io="int8") as convert:
        data = convert(fmt)
    return parity.compare(process.outputs(data, images), logits, logits.argmax(1).astype(np.int32)), data


RECURRENT = {
    "lstm": [layers.Reshape((16, 48)), layers.LSTM(4)],
    "stacked gru": [layers.Reshape((16, 48)), layers.GRU(4, return_sequences=True), layers.GRU(4)],
    "bidirectional": [layers.Reshape((16, 48)), layers.Bidirectional(layers.SimpleRNN(4))],
    "convlstm": [layers.Reshape((4, 4, 16, 3)), layers.ConvLSTM2D(2, 3), layers.GlobalAveragePooling2D()],
}


@pytest.mark.parametrize("kind", RECURRENT)
def test_recurrent_layers_become_int8_files_that_run(kind):
    keras.utils.set_random_seed(0)
    model = small(*RECURRENT[kind])
    figures, data = figures_of(model, "int8", noise())
    assert not float_operators(data, names(model))
    assert figures["max_difference"] < 0.08


@pytest.mark.parametrize(
    "layer",
    [
        layers.ELU(),
        layers.LayerNormalization(),
        layers.GroupNormalization(2),
        layers.RMSNormalization(),
        layers.UnitNormalization(),
        layers.Activation("gelu"),
    ],
    ids=lambda layer: layer.name,
)
def test_operators_without_an_int8_kernel_become_others(layer):
    keras.utils.set_random_seed(0)
    model = small(layers.Conv2D(4, 3), layer, layers.GlobalAveragePooling2D())
    figures, data = figures_of(model, "int8", noise())
    assert float_operators(data, names(model)) == {}
    assert figures["max_difference"] < 0.06


@pytest.mark.parametrize(
    "layer",
    [layers.ELU(0.25), layers.Activation("celu")],  # x > 0 selects; the larger and the smaller of x and 0
    ids=lambda layer: layer.name,
)
def test_what_a_choice_takes_is_not_clipped_to_what_it_gives(layer):
    keras.utils.set_random_seed(0)
    below = layers.Conv2D(4, 3, bias_initializer=Constant(-0.5))
    model = small(below, layer, layers.GlobalAveragePooling2D())
    figures, _ = figures_of(model, "int8", noise())
    assert figures["max_difference"] < 0.06


@pytest.mark.parametrize("fmt", ["int8", "int16x8"])
def test_a_convolution_that_is_called_twice_has_a_bias_for_each_of_its_inputs(fmt):
    keras.utils.set_random_seed(0)
    block = layers.Conv2D(8, 3, padding="same", activation="relu", bias_initializer="ones", name="block")
    front = layers.Conv2D(8, 3, padding="same", activation="relu", kernel_initializer=RandomNormal(0, 2.0))
    model = small(front, block, block, layers.GlobalAveragePooling2D())
    figures, _ = figures_of(model, fmt, noise())
    assert figures["max_difference"] < 0.03


def test_a_cap_far_above_what_a_layer_gives_does_not_make_a_file_that_the_runtime_refuses():
    dead = layers.Conv2D(4, 3, activation="relu6", kernel_initializer="zeros", bias_initializer=Constant(-1.0))
    branches = layers.Concatenate()
    inputs = keras.Input((16, 16, 3))
    x = layers.Rescaling(1 / 255)(inputs)
    x = layers.GlobalAveragePooling2D()(branches([dead(x), layers.Conv2D(4, 3)(x)]))
    model = keras.Model(inputs, layers.Dense(3)(x))
    figures, _ = figures_of(model, "int16x8", noise())
    assert figures["max_difference"] < 0.03


@pytest.mark.parametrize("fmt", ["float32", "int8"])
def test_a_number_added_behind_a_transposed_convolution_is_no_bias_of_one_element(fmt):
    keras.utils.set_random_seed(0)
    transposed = [layers.Conv2DTranspose(4, 3, strides=2), layers.Rescaling(0.3, 0.1), layers.Conv2DTranspose(4, 3)]
    model = small(*transposed, layers.Activation("hard_sigmoid"), layers.GlobalAveragePooling2D())
    figures, _ = figures_of(model, fmt, noise())
    assert figures["max_difference"] < (1e-5 if fmt == "float32" else 0.03)


def test_a_selection_of_indices_stays_one_of_indices():
    model = small(layers.Reshape((256, 3)), layers.AdaptiveMaxPooling1D(7), layers.Conv1D(4, 3), layers.Flatten())
    figures, _ = figures_of(model, "int8", noise())
    assert figures["max_difference"] < 0.06


class Loop(keras.layers.Layer):
    """A layer with a loop inside, where nothing unrolls it."""

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.inner = layers.LSTM(4)

    def call(self, inputs):
        return self.inner(inputs)


def test_a_crash_of_the_converter_is_a_message_that_names_the_layer():
    model = small(layers.Reshape((16, 48)), layers.Dense(4), Loop(name="my_loop"))
    with Converter(model, noise(4), io="int8") as convert:
        assert convert("float32")[4:8] == b"TFL3"
        with pytest.raises(InputError, match=r"as int8: 'my_loop' \(Loop\) crashes TensorFlow's converter \(SIG"):
            convert("int8")
        assert convert("float32")[4:8] == b"TFL3"


def test_agreement_is_judged_by_its_interval():
    logits = np.eye(2, dtype=np.float32)[np.zeros(40, int)]
    outputs = logits.copy()
    outputs[:3] = outputs[:3, ::-1] * 0.9  # 92.5 % of 40: 95 % is within the interval
    labels = np.zeros(10, np.int32)
    bounds = Parity(difference=2, mean_difference=2, drop=1)
    figures = parity.compare(outputs, logits, labels)
    assert (figures["agreement"], figures["samples"], figures["accuracy_samples"]) == (0.925, 40, 10)
    assert parity.failures("int8", figures, bounds) == []
    many = parity.compare(np.tile(outputs, (10, 1)), np.tile(logits, (10, 1)), labels)
    assert "agrees on 92.5% of the top-1 classes of 400 images" in parity.failures("int8", many, bounds)[0]


def test_a_near_tie_is_no_disagreement_and_a_clear_lead_is():
    logits = np.tile(np.float32([1.0, 0.97, 0.0]), (100, 1))
    labels = np.zeros(10, np.int32)
    near = parity.compare(logits[:, [1, 0, 2]], logits, labels)
    assert (near["same_top1"], near["agreement"]) == (0, 1)
    far = parity.compare(logits[:, [2, 1, 0]], logits, labels)
    assert (far["same_top1"], far["agreement"]) == (0, 0)


@pytest.mark.parametrize("fmt", FORMATS)
@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_no_value_that_is_not_finite_passes_the_gate(fmt, value):
    logits = np.eye(3, dtype=np.float32)
    outputs = logits.copy()
    outputs[0, 1] = value
    figures = parity.compare(outputs, logits, np.arange(3, dtype=np.int32))
    loose = Parity(float32=1e9, float16=1e9, agreement=0, drop=1, difference=1e9, mean_difference=1e9)
    assert "not finite" in parity.failures(fmt, figures, loose)[0]


def test_a_file_that_is_right_about_the_class_and_wrong_about_the_values_fails():
    logits = np.eye(3, dtype=np.float32)
    figures = parity.compare(logits * 0.3, logits, np.arange(3, dtype=np.int32))
    assert figures["agreement"] == 1
    problems = parity.failures("int16x8", figures, Parity())
    assert "largest difference 0.70" in problems[0]
    assert "mean difference 0.233" in problems[1]


def test_a_layer_that_is_not_finite_is_named():
    model = small(layers.Conv2D(2, 3, name="broken"), layers.GlobalAveragePooling2D())
    kernel, bias = model.get_layer("broken").get_weights()
    model.get_layer("broken").set_weights([kernel * np.nan, bias])
    with pytest.raises(InputError, match="'broken' has weights that are not finite"):
        finite.check_weights(model)
    model.get_layer("broken").set_weights([np.full_like(kernel, 3e38), bias])  # overflows only as it is computed
    finite.check_weights(model)
    images = noise(4)
    with pytest.raises(InputError, match="'broken' gives values that are not finite, on 4 of 4 images"):
        finite.check_outputs(model, images, model.predict(images.astype(np.float32), verbose=0))


@pytest.fixture
def adopted(tmp_path, monkeypatch):
    """A run of a model with an activation that has no 16-bit kernel, and data of three colours."""
    monkeypatch.setenv("TKIT_CACHE", str(tmp_path / "cache"))
    for number, colour in enumerate([(200, 60, 60), (60, 200, 60), (60, 60, 200)]):
        for index in range(10):
            path = tmp_path / "images" / f"class{number}" / f"{index}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            pixels = np.random.default_rng(10 * number + index).normal(colour, 20, (16, 16, 3))
            Image.fromarray(np.clip(pixels, 0, 255).astype(np.uint8)).save(path)
    keras.utils.set_random_seed(0)
    small(layers.Conv2D(4, 3, activation="hard_silu", name="swish"), layers.GlobalAveragePooling2D()).save(
        tmp_path / "mine.keras"
    )
    return tkit.adopt(tmp_path / "mine.keras", data=str(tmp_path / "images"), runs_dir=tmp_path / "runs")


def test_a_default_format_that_cannot_be_had_is_left_out_and_one_asked_for_fails(adopted, capsys):
    entry = tkit.export(adopted, overrides=["export.parity.float16=1e-12"])
    assert list(entry["metrics"]) == ["float32", "dynamic", "int8"]
    assert "bound 1e-12" in entry["left_out"]["float16"]
    assert "16-bit kernel for HARD_SWISH" in entry["left_out"]["int16x8"]
    assert "Not exported: float16, int16x8" in capsys.readouterr().err
    assert "int16x8" not in Bundle.read(adopted.folder / "float" / "export").models
    assert entry["metrics"]["int8"]["samples"] > entry["metrics"]["int8"]["accuracy_samples"]  # filled up by training's
    with pytest.raises(BoundError, match="1 of the gate's bounds missed on"):
        tkit.export(adopted, overrides=["export.parity.float16=1e-12", "export.formats=float16"])
    with pytest.raises(InputError, match="16-bit kernel for HARD_SWISH"):
        tkit.export(adopted, overrides=["export.formats=float32,int16x8"])
    entry = tkit.export(adopted, skip_failed=True, overrides=["export.formats=float32,int16x8"])
    assert (list(entry["metrics"]), list(entry["left_out"])) == (["float32"], ["int16x8"])
    with pytest.raises(InputError, match="in any of the formats"):
        tkit.export(adopted, skip_failed=True, overrides=["export.formats=int16x8"])


def test_a_broken_promise_fails_in_a_format_that_was_not_asked_for_too(adopted, monkeypatch):
    broken = Proof("swish", "16 values", "17 values", holds=False)
    monkeypatch.setattr("tkit.stages._export.proofs", lambda data, fmt, *_: [broken] if fmt == "float16" else [])
    with pytest.raises(BoundError, match="float16: swish: promised 16 values, found 17 values"):
        tkit.export(adopted)


def test_an_int8_file_with_float_operators_is_no_file_of_integers_only(adopted, monkeypatch, capsys):
    # An operator without an int8 kernel, as the converter of another version may leave any.
    monkeypatch.setattr("tkit.stages._export.float_operators", lambda data, own: {"ELU": ["swish"]})
    entry = tkit.export(adopted, overrides=["export.formats=auto"])
    assert entry["metrics"]["int8"]["float_operators"] == {"ELU": ["swish"]}
    assert "ok, but ELU ('swish') in float" in capsys.readouterr().err
    with pytest.raises(InputError, match=r"not be integers only: LiteRT has no int8 kernel for ELU \('swish'\)"):
        tkit.export(adopted, overrides=["export.formats=int8"])
