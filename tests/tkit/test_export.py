"""Conversion, calibration and the parity gate on a small trained model, through the real LiteRT runtime."""

import keras
import numpy as np
import PIL.Image
import pytest
from keras import layers

import tkit
from tkit.compression.proofs import Proof
from tkit.contract import Contract
from tkit.conversion import calibration, parity, process
from tkit.conversion.config import FORMATS, Export, Parity
from tkit.conversion.converter import Converter
from tkit.models import Spec, Statistics
from tkit.models.resnet import ResNet
from tkit.tasks.classification import Classification
from tkit.training.config import Fit
from tkit.training.engine import train
from tkit.training.optimizers.adamw import AdamW
from tkit_edge import flatbuffer
from tkit_edge.bundle import Bundle
from tkit_edge.errors import BoundError, InputError
from tkit_edge.inputs.image import Image
from tkit_edge.outputs.classes import Classes
from tkit_pipelines.batches import Batches, in_order
from tkit_pipelines.data.images import Images
from tkit_pipelines.dataset import labelled

OUTPUT = Classes(tuple("abcde"))


@pytest.fixture(scope="module")
def exported():
    keras.utils.set_random_seed(0)
    data = Images(source="synthetic:5", image_size=(8, 8), channels=3, batch_size=32)
    splits = data.load(0)
    images = splits.test.images[:40]
    model = ResNet(depth=8, width=4).build(Spec.of_images((8, 8, 3), 5, Statistics(128.0, 5000.0)))

    contract = Contract.of(Classification(), splits)
    validation, batches = (
        in_order(splits.validation, data, contract.encoded),
        Batches(splits.train, data, contract.encoded, 0),
    )
    train(model, batches, validation, Fit(epochs=2, optimizer=AdamW(learning_rate=0.02)), contract)
    logits = model.predict(images.astype(np.float32), verbose=0)
    with Converter(model, {"image": images}, io="int8") as convert:
        return images, logits, {fmt: convert(fmt) for fmt in FORMATS}


def compared(data, images, logits, labels):
    outputs = process.outputs(data, {"image": images}, Image(8, 8, 3), OUTPUT)
    return parity.compare(OUTPUT, outputs, {"logits": logits}, {"label": labels.astype(np.int32)})


@pytest.mark.parametrize("fmt", FORMATS)
def test_each_format_agrees_with_the_keras_model(exported, fmt):
    images, logits, models = exported
    figures = compared(models[fmt], images, logits, logits.argmax(1))
    assert figures["samples"] == 40
    assert figures["keras_accuracy"] == 1.0
    assert figures["agreement"] >= 0.9
    assert parity.failures(fmt, figures, Parity(agreement=0.9, drop=0.1), OUTPUT) == []


def test_an_int8_file_computes_in_integers_only(exported):
    graph = flatbuffer.read(exported[2]["int8"])
    types = {tensor.dtype for tensor in graph.tensors}
    assert types <= {"int8", "int32"}


@pytest.mark.parametrize("io", ["int8", "uint8", "float32"])
def test_the_int8_files_input_and_output_have_the_type_asked_for(exported, io):
    images, _, _ = exported
    keras.utils.set_random_seed(0)
    model = ResNet(depth=8, width=4).build(Spec.of_images((8, 8, 3), 5, Statistics(128.0, 5000.0)))
    with Converter(model, {"image": images[:4]}, io=io) as convert:
        graph = flatbuffer.read(convert("int8"))
    for index in (*graph.inputs, *graph.outputs):
        assert graph.tensors[index].dtype == io


def test_a_wrong_file_fails_the_gate_with_its_figures(exported):
    images, logits, models = exported
    shuffled = np.roll(logits, 1, axis=0)
    labels = shuffled.argmax(1).astype(np.int32)
    bounds = Parity()
    float32, int8 = (
        parity.failures(fmt, compared(models[fmt], images, shuffled, labels), bounds, OUTPUT)
        for fmt in ("float32", "int8")
    )
    assert "largest difference" in float32[0]
    assert "agrees (top-1) on" in int8[-2]
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
        Converter(model, {"image": images}, io="int8") as convert,
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
        Converter(model, {"image": images}, io="int8") as convert,
        pytest.raises(InputError, match="as int16x8: LiteRT has no 16-bit kernel for NEG. Leave the format out"),
    ):
        convert("int16x8")


def test_calibration_images_are_spread_over_the_classes():
    labels = np.array([0] * 90 + [1] * 9 + [2], np.int32)
    images = np.arange(100, dtype=np.uint8).reshape(100, 1, 1, 1)
    chosen = calibration.stratified(labelled(images, labels), 30, 0, Image(1, 1, 1).tensors)["image"].ravel()
    counts = np.bincount(labels[chosen])
    assert counts[2] == 1
    assert counts[1] == 9 or counts[1] == 10
    assert len(np.unique(chosen)) == len(chosen)


def test_formats_must_be_known_and_distinct():
    with pytest.raises(ValueError, match="at most once"):
        Export(formats=("int8", "int8"))


@pytest.fixture
def adopted(tmp_path, monkeypatch):
    """A run of a model with an activation that has no 16-bit kernel, and data of three colours."""
    monkeypatch.setenv("TKIT_CACHE", str(tmp_path / "cache"))
    for number, colour in enumerate([(200, 60, 60), (60, 200, 60), (60, 60, 200)]):
        for index in range(10):
            path = tmp_path / "images" / f"class{number}" / f"{index}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            pixels = np.random.default_rng(10 * number + index).normal(colour, 20, (16, 16, 3))
            PIL.Image.fromarray(np.clip(pixels, 0, 255).astype(np.uint8)).save(path)
    keras.utils.set_random_seed(0)
    swish = layers.Conv2D(4, 3, activation="hard_silu", name="swish")
    front = [keras.Input((16, 16, 3)), layers.Rescaling(1 / 255), swish]
    keras.Sequential([*front, layers.GlobalAveragePooling2D(), layers.Dense(3)]).save(tmp_path / "mine.keras")
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
