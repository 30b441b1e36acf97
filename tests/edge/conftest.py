"""One tiny network in every format tkit exports, made once a session."""

import subprocess
import sys

import numpy as np
import pytest

from tkit_edge.bundle_writing import write
from tkit_edge.inputs.image import Image
from tkit_edge.inputs.tensors import Tensors as TensorsIn
from tkit_edge.outputs.classes import Classes
from tkit_edge.outputs.number import Number
from tkit_edge.outputs.tensors import Tensors as TensorsOut
from tkit_edge.tensors import TensorSpec

FORMATS = ("float32", "float16", "dynamic", "int8", "uint8", "int16x8")
LABELS = ("ant", "bee", "cat", "dog", "elk")

# Sizes at which the multiply-accumulates can be counted by hand: see test_edge_flatbuffer.py.
MAKE = """
import os, sys, tempfile
os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
import keras, numpy as np, tensorflow as tf
from keras import layers
out = sys.argv[1]
keras.utils.set_random_seed(0)
model = keras.Sequential([
    keras.Input((8, 8, 3)),
    layers.Rescaling(1 / 127.5, offset=-1),
    layers.Conv2D(4, 3, strides=2, padding="same", activation="relu", bias_initializer="glorot_uniform"),
    layers.DepthwiseConv2D(3, padding="same", bias_initializer="glorot_uniform"),
    layers.ReLU(),
    layers.Flatten(),
    layers.Dense(5, bias_initializer="glorot_uniform"),
])
images = np.random.default_rng(0).integers(0, 256, (64, 8, 8, 3), dtype=np.uint8)
np.savez(f"{out}/keras.npz", images=images, logits=model.predict(images.astype("float32"), verbose=0))
saved = tempfile.mkdtemp(dir=out)
model.export(saved, verbose=False)
for name in sys.argv[2:]:
    converter = tf.lite.TFLiteConverter.from_saved_model(saved)
    if name != "float32":
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
    if name == "float16":
        converter.target_spec.supported_types = [tf.float16]
    if name in ("int8", "uint8", "int16x8"):
        converter.representative_dataset = lambda: ([image[None].astype(np.float32)] for image in images)
        converter.target_spec.supported_ops = [
            tf.lite.OpsSet.EXPERIMENTAL_TFLITE_BUILTINS_ACTIVATIONS_INT16_WEIGHTS_INT8
            if name == "int16x8" else tf.lite.OpsSet.TFLITE_BUILTINS_INT8
        ]
        dtype = tf.int16 if name == "int16x8" else tf.as_dtype(name)
        converter.inference_input_type = converter.inference_output_type = dtype
    open(f"{out}/{name}.tflite", "wb").write(converter.convert())
map_ = keras.Model(model.inputs, model.layers[-3].output)  # a row of scores for each pixel
map_.export(saved, verbose=False)
open(f"{out}/map.tflite", "wb").write(tf.lite.TFLiteConverter.from_saved_model(saved).convert())
number = keras.Sequential([
    keras.Input((8, 8, 3)), layers.Rescaling(1 / 255), layers.Flatten(), layers.Dense(1, bias_initializer="ones")
])
number.export(saved, verbose=False)
for name in ("float32", "int8"):
    converter = tf.lite.TFLiteConverter.from_saved_model(saved)
    if name == "int8":
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
        converter.representative_dataset = lambda: ([image[None].astype(np.float32)] for image in images)
        converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
        converter.inference_input_type = converter.inference_output_type = tf.int8
    open(f"{out}/number-{name}.tflite", "wb").write(converter.convert())
class Pair(tf.Module):
    @tf.function(input_signature=[tf.TensorSpec([1, 6], name="signal"), tf.TensorSpec([1, 3], tf.int32, name="ids")])
    def serve(self, signal, ids):
        return {"scaled": tf.exp(signal) * tf.cast(ids[:, :1], tf.float32), "sums": tf.cumsum(ids, axis=1)}
pair = Pair()
tf.saved_model.save(pair, saved, signatures=pair.serve)
open(f"{out}/pair.tflite", "wb").write(tf.lite.TFLiteConverter.from_saved_model(saved).convert())
for layer in model.layers:  # three quarters of each kernel become 0
    if layer.weights:
        kernel, bias = layer.get_weights()
        layer.set_weights([np.where(np.abs(kernel) < np.quantile(np.abs(kernel), 0.75), 0, kernel), bias])
model.export(saved, verbose=False)
for name, optimizations in (("pruned", []), ("sparse", [tf.lite.Optimize.EXPERIMENTAL_SPARSITY])):
    converter = tf.lite.TFLiteConverter.from_saved_model(saved)
    converter.optimizations = optimizations
    open(f"{out}/{name}.tflite", "wb").write(converter.convert())
"""


@pytest.fixture(scope="session")
def made(tmp_path_factory):
    """A folder with <format>.tflite, keras.npz (64 images, their logits); a twin's pruned and sparse.tflite; a number
    of an image in number-float32 and number-int8.tflite; two tensors of two in pair.tflite.
    """
    folder = tmp_path_factory.mktemp("models")
    done = subprocess.run([sys.executable, "-c", MAKE, str(folder), *FORMATS], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return folder


@pytest.fixture(scope="session")
def originals(made):
    """uint8 [64, 8, 8, 3] and Keras's float32 logits [64, 5]."""
    with np.load(made / "keras.npz") as arrays:
        return arrays["images"], arrays["logits"]


@pytest.fixture
def bundle(made, originals, tmp_path):
    """A bundle of the float32, int8 and int16x8 files with four golden samples."""
    images, logits = originals
    models = {name: (made / f"{name}.tflite").read_bytes() for name in ("float32", "int8", "int16x8")}
    return written(tmp_path / "export", models, images[:4], logits[:4].argmax(axis=1))


def written(folder, models, images, labels, *, names=LABELS, encoded=(), form="logits", resize="crop"):
    """A bundle of image classifiers."""
    return write(
        folder,
        task="image-classification",
        input=Image(*images.shape[1:], resize),
        output=Classes(tuple(names), form),
        models=models,
        examples={"image": images},
        targets={"label": labels},
        encoded=encoded,
    )


@pytest.fixture
def number_bundle(made, originals, tmp_path):
    """A bundle that predicts a number of an image, with four golden samples."""
    return write(
        tmp_path / "number",
        task="regression",
        input=Image(8, 8, 3),
        output=Number("kg"),
        models={name: (made / f"number-{name}.tflite").read_bytes() for name in ("float32", "int8")},
        examples={"image": originals[0][:4]},
        targets={"number": np.float32([1, 2, 3, 4])},
    )


@pytest.fixture
def pair_bundle(made, tmp_path):
    """A bundle of two tensors in and two out, with three golden samples."""
    random = np.random.default_rng(2)
    return write(
        tmp_path / "pair",
        task="inference",
        input=TensorsIn((TensorSpec("signal", (6,), "float32"), TensorSpec("ids", (3,), "int32"))),
        output=TensorsOut((TensorSpec("scaled", (6,), "float32"), TensorSpec("sums", (3,), "int32"))),
        models={"float32": (made / "pair.tflite").read_bytes()},
        examples={
            "signal": random.normal(size=(3, 6)).astype(np.float32),
            "ids": random.integers(1, 9, (3, 3), np.int32),
        },
        targets={},
    )


@pytest.fixture(scope="session")
def write_bundle():
    """`written`, for tests that write bundles of their own."""
    return written
