"""ONNX files and SavedModels: other runtimes give what the Keras model gives, and the gate refuses what differs."""

import json

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers

import tkit
from tkit.conversion.onnx_file import OPSET, onnx_file
from tkit.graph import of_size
from tkit.models import Spec, Statistics
from tkit.models.cnn import CNN
from tkit.models.dcgan import DCGAN
from tkit.models.fasttext import FastText
from tkit.models.mobilenet import MobileNet
from tkit.models.recurrent import Recurrent
from tkit.models.resnet import ResNet
from tkit.models.text_cnn import TextCNN
from tkit.models.transformer import Transformer
from tkit_edge.errors import BoundError, InputError
from tkit_edge.inputs.noise import Noise
from tkit_edge.outputs.image import Image
from tkit_edge.tensors import TensorSpec

onnx = pytest.importorskip("onnx", reason="the extra onnx")
onnxruntime = pytest.importorskip("onnxruntime", reason="the extra onnx")

IMAGES = Spec.of_images((16, 16, 3), 3, Statistics(128.0, 5000.0))
WORDS = 60
TEXTS = Spec((TensorSpec("tokens", (12,), "int32"),), (TensorSpec("logits", (3,), "float32"),), {}, {"tokens": WORDS})
LATENT, GENERATED = Noise(6), Image(8, 8, 1)
FAMILIES = {
    "cnn": (CNN(width=8), IMAGES),
    "resnet": (ResNet(depth=8, width=4), IMAGES),
    "mobilenet": (MobileNet(), IMAGES),
    "transformer": (Transformer(depth=1, width=16, heads=2), TEXTS),
    "fasttext": (FastText(width=8), TEXTS),
    "text_cnn": (TextCNN(width=8, kernels=(2, 3), filters=8), TEXTS),
    "lstm": (Recurrent(width=8, units=8), TEXTS),
    "gru": (Recurrent(width=8, units=8, cell="gru"), TEXTS),
    "dcgan": (DCGAN(width=8), Spec(LATENT.tensors, GENERATED.tensors, {}, LATENT.sizes)),
}


def inputs_of(model, count):
    chance = np.random.default_rng(count)
    for tensor in model.inputs:
        shape = (count, *tensor.shape[1:])
        if "int" in tensor.dtype:
            tokens = chance.integers(4, WORDS, shape).astype(tensor.dtype)
            tokens[0, 6:] = 0  # padding
            yield tokens
        else:
            yield (chance.random(shape) * (255 if len(shape) == 4 else 1)).astype(np.float32)


def assert_same(model, names):
    session = onnxruntime.InferenceSession(onnx_file(model, names), providers=["CPUExecutionProvider"])
    assert [item.name for item in session.get_outputs()] == names
    for count in (1, 8):
        arrays = list(inputs_of(model, count))
        wanted = keras.tree.flatten(model(arrays if len(arrays) > 1 else arrays[0], training=False))
        feed = dict(zip([item.name for item in session.get_inputs()], arrays, strict=True))
        for found, expected in zip(session.run(names, feed), wanted, strict=True):
            np.testing.assert_allclose(found, expected, atol=1e-4 * float(np.abs(expected).max()))


@pytest.mark.parametrize("family", FAMILIES)
def test_onnx_runtime_gives_what_each_family_gives_for_one_and_for_eight(family):
    keras.utils.set_random_seed(0)
    component, spec = FAMILIES[family]
    model = of_size(component.build(spec), spec.inputs)
    chance = np.random.default_rng(1)
    for variable in model.trainable_variables:
        variable.assign(variable + chance.normal(0, 0.1, variable.shape))
    assert_same(model, [output.name for output in spec.outputs])


def test_several_inputs_and_outputs_keep_their_names():
    keras.utils.set_random_seed(0)
    first, second = keras.Input((4,), name="numbers"), keras.Input((8, 8, 1), name="picture")
    x = layers.Concatenate()([layers.Dense(4)(first), layers.Flatten()(layers.Rescaling(1 / 255)(second))])
    model = keras.Model([first, second], [layers.Dense(2)(x), layers.Dense(1, activation="sigmoid")(x)])
    assert_same(model, ["kind", "share"])
    made = onnx.load_model_from_string(onnx_file(model, ["kind", "share"]))
    assert [item.name for item in made.graph.input] == ["numbers", "picture"]


def test_an_operator_that_onnx_lacks_is_named_with_its_layer():
    inputs = keras.Input((8,))
    model = keras.Model(inputs, layers.Lambda(tf.math.lgamma, name="odd")(inputs))
    with pytest.raises(InputError, match=r"no operator for Lgamma \(layers odd\)"):
        onnx_file(model, ["output"])


@pytest.mark.parametrize("form", ["onnx", "saved-model"])
def test_a_run_s_handover_is_gated_and_described(digits, form):
    made = tkit.hand_over(digits, form)
    contract = json.loads((digits.folder / "float" / form / "contract.json").read_text())
    assert made["metrics"]["max_difference"] < 1e-4
    assert contract["input"]["height"] == 8 and contract["output"]["names"][9] == "9"
    assert contract.get("opset", OPSET) == OPSET
    assert "float/" + form in digits.manifest["stages"]


def test_what_misses_the_float32_bound_is_not_written(colours):
    with pytest.raises(BoundError, match=r"onnx: largest difference .* of the largest logit, bound 1e-09") as caught:
        tkit.hand_over(colours, "onnx")
    assert 1e-9 < caught.value.figures["onnx"]["max_difference"] < 1e-3
    assert not (colours.folder / "float" / "onnx").exists()


def test_a_bundle_has_no_keras_model(digits, tmp_path):
    with pytest.raises(InputError, match="isn't in a bundle or a .tflite file: name the run"):
        tkit.hand_over(digits.folder / "float" / "export", "onnx", out=tmp_path / "onnx")
